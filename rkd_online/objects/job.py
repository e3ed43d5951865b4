"""The objects of one job, and the folder of this node in which they are files."""

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Final

from rkd_online.errors import ObjectStoreError
from rkd_online.files import whole
from rkd_online.objects.segments import get_grown
from rkd_online.objects.store import ObjectStore, Stored

GROWING: Final = ".jsonl"
"""Files with this ending are lines that are added one by one."""
SCRATCH: Final = "scratch"
"""Beside ``runs`` in a data folder: holds nothing that is not in the store, or no longer wanted."""


def scratch_folder(job: str) -> Path:
    """Where a node that works on a job keeps its files, relative to its data folder."""
    return Path(SCRATCH) / "runs" / job


def learner_folder(job: str, attempt: int) -> Path:
    """The same of the learners of an attempt: nobody else writes there, no driver and no other
    attempt, so that it can go with them."""
    return Path(SCRATCH) / "learners" / f"{job}.{attempt}"


class JobObjects:
    """Objects have the names that files have below the job's folder."""

    def __init__(self, store: ObjectStore, job: str, folder: Path) -> None:
        """``folder`` is this node's."""
        self.store = store
        self.folder = folder
        self._prefix = f"runs/{job}"

    def __str__(self) -> str:
        return f"{self.store.address}/{self._prefix}"

    def name(self, path: str | PurePath) -> str:
        """Of the object that is a file here, by its path below the job's folder."""
        below = PurePath(path).as_posix()
        return self._prefix if below == "." else f"{self._prefix}/{below}"

    def here(self, path: str | PurePath) -> Path:
        """Where it lies on this node. Raises ObjectStoreError for a name that leads elsewhere."""
        below = PurePath(path)
        if below.is_absolute() or ".." in below.parts:
            raise ObjectStoreError(f"{self} has {str(path)!r}, which is no file below a folder")
        return self.folder / below

    def find(self, folder: str) -> dict[str, Stored]:
        """All objects below a folder of the job, by their paths below the job's folder."""
        start = len(self._prefix) + 1
        return {name[start:]: one for name, one in self.store.find(self.name(folder)).items()}

    def seen(self, path: str) -> Stored | None:
        """One object; None where there is none."""
        return self.store.seen(self.name(path))

    def attempts(self) -> list[int]:
        """The numbers of attempts that have stored something, in order."""
        found = self.store.folders(self.name("attempts"))
        return sorted(int(name) for name in found if name.isdecimal() and name == str(int(name)))

    def push(self, path: str | PurePath) -> None:
        """Store a file of this node."""
        self.store.put(self.here(path), self.name(path))

    def pull(self, path: str | PurePath) -> Path:
        """Have an object as a file here; it appears whole. Raises FileNotFoundError."""
        with whole(self.here(path)) as partial:
            self.store.get(self.name(path), partial)
        return self.here(path)

    def pull_grown(self, path: str) -> Path:
        """The same of a file whose lines were added one by one; none where it has no line yet."""
        found = self.store.find(self.name(path))
        if found:
            get_grown(self.store, self.name(path), self.here(path), found)
        return self.here(path)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove objects, in this order."""
        self.store.remove(self.name(path) for path in paths)
