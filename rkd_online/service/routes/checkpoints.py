"""A job's checkpoints: listed, and downloaded file by file or whole."""

import asyncio
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import FileResponse, StreamingResponse

from rkd_online.service.access.authentication import Viewer
from rkd_online.service.access.caller import Caller
from rkd_online.service.reading.archive import Archive
from rkd_online.service.reading.checkpoint_page import checkpoint_page
from rkd_online.service.reading.checkpoints import (
    SavedCheckpoint,
    digests,
    files_of,
    find_checkpoint,
    parse_name,
)
from rkd_online.service.reading.disk_files import DiskFile
from rkd_online.service.reading.job_files import SavedFile
from rkd_online.service.routes.access import read_job
from rkd_online.service.schemas.answer import Page
from rkd_online.service.schemas.checkpoint import CheckpointFile, CheckpointRecord
from rkd_online.service.services import Services, ServicesDep
from rkd_online.service.web.problems import ApiError, documented
from rkd_online.service.web.ranges import part_response

router = APIRouter(prefix="/v1/jobs/{job_id}/checkpoints", tags=["results"])

BINARY: Final = "application/octet-stream"
NO_SNIFFING: Final = {"X-Content-Type-Options": "nosniff"}
"""A page among the files must not become one of this origin's."""
Name = Annotated[str, Path(max_length=40, description="`ATTEMPT-step-NNNNNN`")]


def _sent(media_type: str, **others: Any) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"content": {media_type: schema}, **others}, **documented(401, 404, 429)}


@router.get("", responses=documented(401, 404, 429))
async def list_checkpoints(
    job_id: str,
    caller: Viewer,
    services: ServicesDep,
    after: Annotated[str | None, Query(max_length=40, description="`next` of the page before.")] = (
        None
    ),
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Page[CheckpointRecord]:
    """The whole checkpoints that a job keeps, of the newest attempt and step first.

    They are read from the job's files: where this service sees neither the disk that runs write to
    nor their object store there are none.
    """
    job = await read_job(services, caller, job_id)
    accepted = job.checkpoint["path"] if job.checkpoint else None
    found = await asyncio.to_thread(
        checkpoint_page, services.storage.files(job_id), accepted, _position(after), limit + 1
    )
    has_more = len(found) > limit
    return Page(
        data=found[:limit], has_more=has_more, next=found[limit - 1].name if has_more else None
    )


@router.get("/{name}/files", responses=documented(401, 404, 429))
async def list_files(
    job_id: str,
    name: Name,
    caller: Viewer,
    services: ServicesDep,
    after: Annotated[
        str | None, Query(max_length=1000, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[CheckpointFile]:
    """The files of a checkpoint by path: a folder in Hugging Face format, and the state of the
    optimizer."""
    saved = await _checkpoint(services, caller, job_id, name)
    files = await asyncio.to_thread(files_of, saved)
    known = await asyncio.to_thread(digests, saved)
    found = [one for one in files if after is None or one.path > after]
    has_more = len(found) > limit
    return Page(
        data=[
            CheckpointFile(path=one.path, bytes=one.size, sha256=known.get(one.path))
            for one in found[:limit]
        ],
        has_more=has_more,
        next=found[limit - 1].path if has_more else None,
    )


@router.get(
    "/{name}/files/{path:path}",
    response_class=FileResponse,
    responses=_sent(
        BINARY, headers={"ETag": {"schema": {"type": "string"}, "description": "Its digest."}}
    )
    | {
        206: {"description": "The part that `Range` asks for"},
        304: {"description": "It is what `If-None-Match` names"},
        416: {"description": "The file has no such part"},
    },
)
async def download_file(
    job_id: str,
    name: Name,
    path: Annotated[str, Path(max_length=1000, description="As in the list of files.")],
    caller: Viewer,
    services: ServicesDep,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
    range: Annotated[str | None, Header(include_in_schema=False)] = None,
    if_range: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """One file of a checkpoint. `Range` asks for a part of it, with `If-Range` only while it is the
    same file."""
    saved = await _checkpoint(services, caller, job_id, name)
    found = await asyncio.to_thread(saved.content.file, path)
    if found is None:
        raise ApiError(404, "file_not_found", f"checkpoint {name} of {job_id} has no file {path!r}")
    headers = {"ETag": _tag(found, (await asyncio.to_thread(digests, saved)).get(path))}
    if if_none_match is not None and _names(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if not isinstance(found, DiskFile):
        last = quote(path.rpartition("/")[2])
        headers |= NO_SNIFFING | {"Content-Disposition": f'attachment; filename="{last}"'}
        return part_response(found, range, if_range, headers, BINARY)
    return FileResponse(
        found.place,
        media_type=BINARY,
        filename=found.place.name,
        stat_result=found.stat,
        headers=NO_SNIFFING | headers,
    )


@router.get(
    "/{name}/archive", response_class=StreamingResponse, responses=_sent("application/x-tar")
)
async def download_archive(
    job_id: str, name: Name, caller: Viewer, services: ServicesDep
) -> StreamingResponse:
    """A whole checkpoint as a tar without compression, its manifest last. A transfer that ends
    before its `Content-Length` is not whole."""
    saved = await _checkpoint(services, caller, job_id, name)
    made = Archive(saved.name, await asyncio.to_thread(files_of, saved))
    headers = NO_SNIFFING | {
        "Content-Length": str(made.length),
        "Content-Disposition": f'attachment; filename="{job_id}-{name}.tar"',
    }
    return StreamingResponse(made.chunks(), media_type="application/x-tar", headers=headers)


async def _checkpoint(
    services: Services, caller: Caller, job_id: str, name: str
) -> SavedCheckpoint:
    await read_job(services, caller, job_id)
    found = await asyncio.to_thread(find_checkpoint, services.storage.files(job_id), name)
    if found is None:
        raise ApiError(404, "checkpoint_not_found", f"{job_id} has no checkpoint {name!r}")
    return found


def _position(after: str | None) -> tuple[int, int] | None:
    if after is None:
        return None
    found = parse_name(after)
    if found is None:
        raise ApiError(
            422, "invalid_cursor", f"after={after!r} is not the `next` of an earlier page"
        )
    return found


def _tag(file: SavedFile, digest: str | None) -> str:
    """The manifest has no digest of itself."""
    return f'"{digest}"' if digest else f'"{file.modified_ns:x}-{file.size:x}"'


def _names(if_none_match: str, tag: str) -> bool:
    given = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return bool(given & {tag, "*"})
