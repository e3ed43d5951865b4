"""The files of one job as its readers see them, wherever they lie."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class SavedFile(Protocol):
    """A regular file in a checkpoint."""

    @property
    def path(self) -> str:
        """Below the checkpoint's folder."""
        ...

    @property
    def size(self) -> int:
        """Its size when it was looked at."""
        ...

    @property
    def modified_ns(self) -> int:
        """When it was written, in nanoseconds since the epoch."""
        ...

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from ``start`` to before ``end``. Raises an RkdError or OSError where it is no
        longer what it was."""
        ...


class CheckpointContent(Protocol):
    """What lies in a checkpoint."""

    def files(self) -> Iterator[SavedFile]:
        """Its regular files."""
        ...

    def file(self, path: str) -> SavedFile | None:
        """The one at this path; None for what is no regular file of the checkpoint."""
        ...

    def manifest(self, most: int) -> bytes:
        """The content of its manifest, ``most`` bytes at the most. Raises OSError."""
        ...


class JobFiles(Protocol):
    """One request's view of a job's files."""

    def attempts(self) -> list[int]:
        """Every attempt that has written something, oldest first."""
        ...

    def rollout_steps(self, attempt: int) -> list[int]:
        """The steps of which an attempt has kept rollouts, in order."""
        ...

    def checkpoint_steps(self, attempt: int) -> list[int]:
        """The steps after which an attempt has whole checkpoints, in order."""
        ...

    def checkpoint(self, attempt: int, step: int) -> CheckpointContent | None:
        """A whole one; None where there is none."""
        ...

    def local(self, path: str) -> Path:
        """A file below the job's folder as one of this disk; where there is none it is absent."""
        ...

    def with_traces(self) -> Path:
        """A folder of this disk that has the traces of all attempts where a job's folder has
        them."""
        ...
