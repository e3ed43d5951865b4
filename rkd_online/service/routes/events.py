"""A job's events, as pages and as a stream that can be resumed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import anyio
from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from rkd_online.service.access.authentication import Bearer, Viewer, identify
from rkd_online.service.access.caller import LOCAL, Caller
from rkd_online.service.bell import wait_for_ring
from rkd_online.service.records import event_record
from rkd_online.service.routes.access import JobId, visible
from rkd_online.service.schemas.answer import Page
from rkd_online.service.schemas.event import Event, StreamEnd
from rkd_online.service.services import Services, ServicesDep
from rkd_online.service.state import TERMINAL, Status
from rkd_online.service.store import events, jobs
from rkd_online.service.store.tables import EventRow
from rkd_online.service.web.problems import documented

HEARTBEAT_SECONDS = 15
LOOK_SECONDS = 1.0
"""A reader looks again after this long even if no bell rang: another process may have written."""
BATCH = 200
GRACE_SECONDS = 3.0
"""At SIGTERM a stream closes at its next look; this is when it is cut off instead."""

router = APIRouter(prefix="/v1", tags=["events"])

MOST = 2**31 - 1
After = Annotated[int, Query(ge=0, le=MOST)]


@router.get("/jobs/{job_id}/events", responses=documented(401, 404, 429))
async def list_events(
    job_id: JobId,
    caller: Viewer,
    services: ServicesDep,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[Event]:
    """The events behind number ``after``, oldest first."""
    _, found = await _read(services, caller, job_id, after, limit + 1)
    shown = found[:limit]
    return Page(
        data=[event_record(row) for row in shown],
        has_more=len(found) > limit,
        next=str(shown[-1].number) if len(found) > limit else None,
    )


@router.get(
    "/jobs/{job_id}/events/stream",
    response_class=EventSourceResponse,
    responses=documented(401, 404, 429),
)
async def stream_events(
    job_id: JobId,
    caller: Viewer,
    services: ServicesDep,
    bearer: Bearer,
    after: After = 0,
    last_event_id: Annotated[int | None, Header(ge=0, le=MOST)] = None,
) -> EventSourceResponse:
    """The same events as they come, each with its number as id; ``end`` closes the stream.

    ``Last-Event-ID`` wins over ``after``: a browser that reconnects repeats the first URL. A stream
    ends, without ``end``, when its key is revoked.
    """
    start = after if last_event_id is None else last_event_id
    await _read(services, caller, job_id, start, 1)
    leaving = anyio.Event()
    key = bearer.credentials if bearer else ""
    return EventSourceResponse(
        _stream(services, Reader(caller, key), job_id, start, leaving),
        ping=HEARTBEAT_SECONDS,
        shutdown_event=leaving,
        shutdown_grace_period=GRACE_SECONDS,
        headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a stream, and the key that opened it."""

    caller: Caller
    key: str

    async def still_allowed(self, services: Services) -> bool:
        """Whether the key is still good; a job never changes its project."""
        return self.caller is LOCAL or await identify(services, self.key) is not None


async def _stream(
    services: Services, reader: Reader, job_id: str, after: int, leaving: anyio.Event
) -> AsyncIterator[ServerSentEvent]:
    """Without ``end`` the reader knows that only the server is going, and comes back."""
    with services.bell.listen(job_id) as rung:
        while not leaving.is_set() and await reader.still_allowed(services):
            status, found = await _read(services, reader.caller, job_id, after, BATCH)
            for row in found:
                after = row.number
                yield ServerSentEvent(
                    event_record(row).model_dump_json(), event=row.type, id=str(row.number)
                )
            if found:
                continue
            if status in TERMINAL:
                yield ServerSentEvent(StreamEnd(status=status).model_dump_json(), event="end")
                return
            await wait_for_ring(rung, LOOK_SECONDS)


async def _read(
    services: Services, caller: Caller, job_id: str, after: int, limit: int
) -> tuple[Status, list[EventRow]]:
    """The status is read first: a job that is over then has no event that comes later. A reader who
    leaves does not cut the transaction off, which would cost the connection."""
    with anyio.CancelScope(shield=True):
        found = await _read_whole(services, caller, job_id, after, limit)
    return found


async def _read_whole(
    services: Services, caller: Caller, job_id: str, after: int, limit: int
) -> tuple[Status, list[EventRow]]:
    async with services.database.read() as session:
        job = visible(caller, await jobs.find(session, job_id), job_id)
        return job.status, list(await events.after(session, job_id, after, limit))
