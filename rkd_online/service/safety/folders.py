"""The folders under which a job may name files, and what of the data folder is for whom."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

from rkd_online.service.safety.path_text import path_text_problem, shown

OwnsJob: TypeAlias = Callable[[str], bool]
"""Whether a job, by its id, is one of the project that asks. False for one that there is not."""


@dataclass(frozen=True, slots=True)
class Folders:
    """``roots`` are resolved; ``spellings`` are all folders as a job may write them, by links of
    the settings too. ``runs`` holds the folders of all jobs, and lies in ``data``."""

    roots: tuple[Path, ...]
    spellings: tuple[Path, ...]
    data: Path
    runs: Path

    @classmethod
    def of(cls, allowed: Iterable[Path], data: Path) -> Self:
        """These folders, which need not be there yet, and the jobs of the data folder."""
        written = (*allowed, data / "runs")
        real = tuple(folder.resolve() for folder in written)
        return cls(real[:-1], tuple(dict.fromkeys(written + real)), data.resolve(), real[-1])

    def problem(self, text: str, owns_job: OwnsJob) -> str | None:
        """Why a job may not name this path; None where it may.

        What is outside is answered by one message, whether there is something or not.
        """
        wrong = path_text_problem(text)
        if wrong is not None:
            return f"{shown(text)} {wrong}"
        path = Path(text)
        inside = any(path.is_relative_to(folder) for folder in self.spellings)
        real = resolved(path) if inside else None
        if real is not None and self.admits(real, owns_job):
            return None
        if real is not None and self._job(real) is not None:
            return f"{shown(text)} is of no job of this project"
        return f"{shown(text)} lies outside of what jobs may name, or leads there by a link: {self}"

    def admits(self, real: Path, owns_job: OwnsJob) -> bool:
        """Whether jobs may name this resolved path. Of the data folder these are the files of the
        project's jobs, even where it lies in a root: database and tokens are there too."""
        if real.is_relative_to(self.data):
            job = self._job(real)
            return job is not None and owns_job(job)
        return any(real.is_relative_to(root) for root in self.roots)

    def is_of_a_job(self, text: str) -> bool:
        """Whether a path that was admitted is what a job has written."""
        real = resolved(Path(text))
        return real is not None and self._job(real) is not None

    def _job(self, real: Path) -> str | None:
        if not real.is_relative_to(self.runs) or real == self.runs:
            return None
        return real.relative_to(self.runs).parts[0]

    def __str__(self) -> str:
        jobs = f"files of this project's jobs in {self.runs}"
        return f"allowed are {', '.join([*map(str, self.roots), jobs])}"


def resolved(path: Path) -> Path | None:
    """Where a path leads when every link is followed, whether there is something or not; None where
    that cannot be told."""
    try:
        return path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        return path.resolve()
    except (OSError, RuntimeError):  # what may not be read, and links in a circle
        return None
