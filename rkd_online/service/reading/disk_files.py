"""The files of a job in a folder that runs write to: no link in it is followed."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rkd_online.errors import ServiceError
from rkd_online.files import MANIFEST, PARQUET, checkpoint_path
from rkd_online.service.reading.folder import attempts, by_step

CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A regular file, and what the disk said of it."""

    path: str
    place: Path
    stat: os.stat_result

    @property
    def size(self) -> int:
        """Its size when it was looked at."""
        return self.stat.st_size

    @property
    def modified_ns(self) -> int:
        """When it was written."""
        return self.stat.st_mtime_ns

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """Its content. Raises ServiceError where it is no longer as long as it was."""
        left = end - start
        with os.fdopen(os.open(self.place, os.O_RDONLY | os.O_NOFOLLOW), "rb") as opened:
            opened.seek(start)
            while left and (chunk := opened.read(min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk
        if left:
            raise ServiceError(f"{self.place} lost {left} bytes while it was sent")


class DiskCheckpoint:
    """A folder with no link on the way from the job's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> Iterator[DiskFile]:
        """Its regular files; links are left out."""
        for parent, _, names in os.walk(self._folder):
            for name in names:
                place = Path(parent, name)
                if (seen := _regular(place)) is not None:
                    yield DiskFile(str(place.relative_to(self._folder)), place, seen)

    def file(self, path: str) -> DiskFile | None:
        """None too for what is reached by a link."""
        parts = path.split("/")
        if "\0" in path or any(part in ("", ".", "..") for part in parts):
            return None
        place = self._folder.joinpath(*parts)
        seen = _regular(place)
        if seen is None or place.resolve() != self._folder.resolve().joinpath(*parts):
            return None
        return DiskFile(path, place, seen)

    def manifest(self, most: int) -> bytes:
        """As it lies there."""
        with (self._folder / MANIFEST).open("rb") as file:
            return file.read(most)


class DiskFiles:
    """A job's folder."""

    def __init__(self, job: Path) -> None:
        self._job = job

    def attempts(self) -> list[int]:
        """By their folders."""
        return [number for number, _ in attempts(self._job)]

    def rollout_steps(self, attempt: int) -> list[int]:
        """By their files."""
        return list(by_step(self._attempt(attempt) / "rollouts", PARQUET))

    def checkpoint_steps(self, attempt: int) -> list[int]:
        """By their folders."""
        found = by_step(self._attempt(attempt) / "checkpoints")
        return [step for step, folder in found.items() if _regular(folder / MANIFEST) is not None]

    def checkpoint(self, attempt: int, step: int) -> DiskCheckpoint | None:
        """Its folder, which is where it says."""
        job = self._job.resolve()
        folder = job / checkpoint_path(attempt, step)
        if folder.resolve() != folder or _regular(folder / MANIFEST) is None:
            return None
        return DiskCheckpoint(folder)

    def local(self, path: str) -> Path:
        """Where it lies."""
        return self._job / path

    def with_traces(self) -> Path:
        """The job's folder."""
        return self._job

    def _attempt(self, number: int) -> Path:
        return self._job / "attempts" / str(number)


def _regular(path: Path) -> os.stat_result | None:
    """What the disk says of a regular file; None for anything else, and what is not there."""
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None
