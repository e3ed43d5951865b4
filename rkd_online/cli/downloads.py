"""Files of a checkpoint on their way to this machine."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from rkd_online.cli.targets import PARTIAL
from rkd_online.client import Client
from rkd_online.errors import ServiceError
from rkd_online.files import MANIFEST, file_digest
from rkd_online.service.schemas.checkpoint import CheckpointFile

Advance = Callable[[int], None]
"""Called with the bytes that have come."""


class Download:
    """Of one checkpoint into a folder. A file has its name when it is whole and checked; what was
    cut goes on where it was."""

    def __init__(self, client: Client, job: str, checkpoint: str, folder: Path) -> None:
        self._client = client
        self._job = job
        self._checkpoint = checkpoint
        self._folder = folder

    def files(self) -> list[CheckpointFile]:
        """What there is to fetch, the manifest last: without it a folder is no checkpoint."""
        found = list(self._client.all_files(self._job, self._checkpoint, limit=1000))
        self._refuse_others({str(_inside(file.path)) for file in found})
        return sorted(found, key=lambda file: file.path == MANIFEST)

    def _refuse_others(self, names: set[str]) -> None:
        """What else lies in the folder would be read with the checkpoint."""
        for file in sorted(self._folder.rglob("*")):
            name = str(file.relative_to(self._folder))
            if not file.is_dir() and name.removesuffix(PARTIAL) not in names:
                raise ServiceError(
                    f"{self._folder} has {name}, which is no part of {self._checkpoint}: choose "
                    "another folder with --out"
                )

    def fetch(self, file: CheckpointFile, advance: Advance) -> Path:
        """One file. Raises ServiceError where it is not what the list says."""
        target = self._folder / _inside(file.path)
        if file.sha256 is not None and target.is_file() and _matches(target, file):
            advance(file.bytes)
            return target
        part = target.with_name(target.name + PARTIAL)
        target.parent.mkdir(parents=True, exist_ok=True)
        start = _begun(part, file)
        advance(start)
        if start < file.bytes or not part.exists():
            pieces = self._client.download(
                self._job, self._checkpoint, file.path, start=start, etag=file.sha256
            )
            _append(part, pieces, start, advance)
        if not _matches(part, file):
            part.unlink()
            raise ServiceError(
                f"{file.path} of {self._checkpoint} did not come as it was written: fetch it again"
            )
        os.replace(part, target)
        return target


def _inside(path: str) -> PurePosixPath:
    """A path from elsewhere must not lead out of the folder."""
    found = PurePosixPath(path)
    if found.is_absolute() or ".." in found.parts or not found.parts:
        raise ServiceError(f"the checkpoint has a file {path!r}, which lies outside its folder")
    return found


def _begun(part: Path, file: CheckpointFile) -> int:
    """The bytes that are there already; without a digest nobody knows whether they still count."""
    size = part.stat().st_size if part.is_file() else 0
    return size if file.sha256 is not None and size <= file.bytes else 0


def _append(part: Path, pieces: Iterator[bytes], start: int, advance: Advance) -> None:
    with part.open("r+b" if start else "wb") as opened:
        opened.seek(start)
        for piece in pieces:
            opened.write(piece)
            advance(len(piece))


def _matches(path: Path, file: CheckpointFile) -> bool:
    if path.stat().st_size != file.bytes:
        return False
    return file.sha256 is None or file_digest(path) == file.sha256
