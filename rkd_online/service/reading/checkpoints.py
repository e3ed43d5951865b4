"""The checkpoints of a job's attempts, and the files in one."""

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rkd_online.service.reading.folder import attempts, by_step
from rkd_online.service.web.problems import ApiError

MANIFEST: Final = "manifest.json"
"""Written last: a folder without it is no checkpoint."""
MOST_MANIFEST_BYTES: Final = 16 << 20
MOST_FILES: Final = 10_000
_NAME: Final = re.compile(r"([1-9]\d{0,8})-step-(\d{6,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A whole checkpoint. ``folder`` holds no link on the way from the job's."""

    attempt: int
    step: int
    folder: Path

    @property
    def name(self) -> str:
        """Says the attempt too: two may have written a checkpoint after one step."""
        return f"{self.attempt}-{self.folder.name}"

    @property
    def path(self) -> str:
        """Relative to the job's folder, as runs report it."""
        return f"attempts/{self.attempt}/checkpoints/{self.folder.name}"


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A regular file in a checkpoint."""

    path: str
    place: Path
    stat: os.stat_result


def saved_checkpoints(job: Path) -> list[SavedCheckpoint]:
    """Every whole checkpoint, of the newest attempt and step first."""
    return [
        SavedCheckpoint(attempt, step, folder)
        for attempt, own in reversed(attempts(job))
        for step, folder in reversed(by_step(own / "checkpoints").items())
        if _is_regular(folder / MANIFEST)
    ]


def parse_name(name: str) -> tuple[int, int] | None:
    """Attempt and step of a name; None for what is none."""
    found = _NAME.fullmatch(name)
    return (int(found.group(1)), int(found.group(2))) if found else None


def find_checkpoint(job: Path, name: str) -> SavedCheckpoint | None:
    """The checkpoint of this name; None where there is none."""
    found = parse_name(name)
    if found is None:
        return None
    attempt, _, folder_name = name.partition("-")
    folder = job.resolve() / "attempts" / attempt / "checkpoints" / folder_name
    if folder.resolve() != folder or not _is_regular(folder / MANIFEST):
        return None
    return SavedCheckpoint(*found, folder)


def files_of(checkpoint: SavedCheckpoint) -> list[SavedFile]:
    """Its regular files, sorted by path; links are left out."""
    found: list[SavedFile] = []
    for parent, _, names in os.walk(checkpoint.folder):
        for name in names:
            place = Path(parent, name)
            if (seen := _regular(place)) is not None:
                found.append(SavedFile(str(place.relative_to(checkpoint.folder)), place, seen))
        if len(found) > MOST_FILES:
            raise _damaged(checkpoint, f"it has more than {MOST_FILES} files")
    return sorted(found, key=lambda one: one.path)


def find_file(checkpoint: SavedCheckpoint, path: str) -> SavedFile | None:
    """One of them; None for what is no regular file in this folder, or is reached by a link."""
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        return None
    place = checkpoint.folder.joinpath(*parts)
    seen = _regular(place)
    if seen is None or place.resolve() != checkpoint.folder.resolve().joinpath(*parts):
        return None
    return SavedFile(path, place, seen)


def digests(checkpoint: SavedCheckpoint) -> dict[str, str]:
    """SHA-256 of each file as its manifest has it. Raises ApiError where that cannot be read."""
    try:
        with (checkpoint.folder / MANIFEST).open("rb") as file:
            manifest = json.loads(file.read(MOST_MANIFEST_BYTES))
        return {name: one["sha256"] for name, one in manifest["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(checkpoint, f"its {MANIFEST} cannot be read ({error})") from error


def _damaged(checkpoint: SavedCheckpoint, what: str) -> ApiError:
    return ApiError(500, "damaged_checkpoint", f"checkpoint {checkpoint.name} is damaged: {what}")


def _is_regular(path: Path) -> bool:
    return _regular(path) is not None


def _regular(path: Path) -> os.stat_result | None:
    """What the disk says of a regular file; None for anything else, and what is not there."""
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None
