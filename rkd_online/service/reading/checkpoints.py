"""The checkpoints of a job's attempts, and the files in one."""

import json
import re
from dataclasses import dataclass
from typing import Final

from rkd_online.files import MANIFEST, checkpoint_path, step_name, step_of
from rkd_online.service.reading.job_files import CheckpointContent, JobFiles, SavedFile
from rkd_online.service.web.problems import ApiError

MOST_MANIFEST_BYTES: Final = 16 << 20
MOST_FILES: Final = 10_000
_NAME: Final = re.compile(r"([1-9]\d{0,8})-(.{1,14})", re.ASCII)


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A whole checkpoint."""

    attempt: int
    step: int
    content: CheckpointContent

    @property
    def name(self) -> str:
        """Says the attempt too: two may have written a checkpoint after one step."""
        return f"{self.attempt}-{step_name(self.step)}"

    @property
    def path(self) -> str:
        """Relative to the job's folder, as runs report it."""
        return checkpoint_path(self.attempt, self.step)


def saved_checkpoints(job: JobFiles) -> list[SavedCheckpoint]:
    """Every whole checkpoint, of the newest attempt and step first."""
    found = (
        (attempt, step, job.checkpoint(attempt, step))
        for attempt in reversed(job.attempts())
        for step in reversed(job.checkpoint_steps(attempt))
    )
    return [
        SavedCheckpoint(attempt, step, content)
        for attempt, step, content in found
        if content is not None
    ]


def parse_name(name: str) -> tuple[int, int] | None:
    """Attempt and step of a name; None for what is none."""
    found = _NAME.fullmatch(name)
    step = step_of(found.group(2)) if found else None
    return None if found is None or step is None else (int(found.group(1)), step)


def find_checkpoint(job: JobFiles, name: str) -> SavedCheckpoint | None:
    """The checkpoint of this name; None where there is none."""
    found = parse_name(name)
    content = None if found is None else job.checkpoint(*found)
    return None if found is None or content is None else SavedCheckpoint(*found, content)


def files_of(checkpoint: SavedCheckpoint) -> list[SavedFile]:
    """Its regular files, sorted by path."""
    found: list[SavedFile] = []
    for one in checkpoint.content.files():
        found.append(one)
        if len(found) > MOST_FILES:
            raise _damaged(checkpoint, f"it has more than {MOST_FILES} files")
    return sorted(found, key=lambda one: one.path)


def digests(checkpoint: SavedCheckpoint) -> dict[str, str]:
    """SHA-256 of each file as its manifest has it. Raises ApiError where that cannot be read."""
    try:
        manifest = json.loads(checkpoint.content.manifest(MOST_MANIFEST_BYTES))
        return {name: one["sha256"] for name, one in manifest["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(checkpoint, f"its {MANIFEST} cannot be read ({error})") from error


def _damaged(checkpoint: SavedCheckpoint, what: str) -> ApiError:
    return ApiError(500, "damaged_checkpoint", f"checkpoint {checkpoint.name} is damaged: {what}")
