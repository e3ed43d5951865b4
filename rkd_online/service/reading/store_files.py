"""The files of a job in an object store: small ones through a cache, checkpoints as they lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from rkd_online.files import MANIFEST, PARQUET, checkpoint_path, step_of
from rkd_online.objects.job import JobObjects
from rkd_online.objects.store import ObjectStore, Stored
from rkd_online.service.reading.object_cache import ObjectCache

TRACE: Final = "trace.jsonl"


@dataclass(frozen=True, slots=True)
class StoreFile:
    """An object, and what the store said of it."""

    path: str
    name: str
    seen: Stored
    store: ObjectStore

    @property
    def size(self) -> int:
        """Its size when it was looked at."""
        return self.seen.bytes

    @property
    def modified_ns(self) -> int:
        """When it was written."""
        return int(self.seen.modified.timestamp() * 1e9)

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """Straight from the store."""
        return self.store.chunks(self.name, start, end)


class StoreCheckpoint:
    """The objects of one checkpoint, by their paths below its folder."""

    def __init__(self, found: dict[str, StoreFile]) -> None:
        self._found = found

    def files(self) -> Iterator[StoreFile]:
        """All of them."""
        return iter(self._found.values())

    def file(self, path: str) -> StoreFile | None:
        """One of them."""
        return self._found.get(path)

    def manifest(self, most: int) -> bytes:
        """As it is now; its run may have deleted it since it was listed."""
        file = self._found[MANIFEST]
        return file.store.read(file.name)[:most]


class StoreFiles:
    """What was listed once is not listed again: a request has one of these for itself."""

    def __init__(self, objects: JobObjects, cached: ObjectCache) -> None:
        self._objects = objects
        self._cached = cached
        self._find = cache(objects.find)

    def attempts(self) -> list[int]:
        """By their objects."""
        return self._objects.attempts()

    def rollout_steps(self, attempt: int) -> list[int]:
        """By their objects."""
        found = self._find(f"attempts/{attempt}/rollouts")
        steps = (step_of(path.rpartition("/")[2], PARQUET) for path in found)
        return sorted(step for step in steps if step is not None)

    def checkpoint_steps(self, attempt: int) -> list[int]:
        """Those with a manifest."""
        found = (path.split("/") for path in self._find(f"attempts/{attempt}/checkpoints"))
        steps = (step_of(parts[3]) for parts in found if parts[4:] == [MANIFEST])
        return sorted(step for step in steps if step is not None)

    def checkpoint(self, attempt: int, step: int) -> StoreCheckpoint | None:
        """Its objects, if the manifest is one of them."""
        base = f"{checkpoint_path(attempt, step)}/"
        found = {
            path.removeprefix(base): StoreFile(
                path.removeprefix(base), self._objects.name(path), seen, self._objects.store
            )
            for path, seen in self._find(f"attempts/{attempt}/checkpoints").items()
            if path.startswith(base)
        }
        return StoreCheckpoint(found) if MANIFEST in found else None

    def local(self, path: str) -> Path:
        """In the cache."""
        folder = path.rpartition("/")[0]
        seen = self._find(folder).get(path) if folder else self._objects.seen(path)
        return self._cached.fetch(self._objects, path, seen)

    def with_traces(self) -> Path:
        """The job's folder in the cache."""
        for number in self.attempts():
            self._cached.fetch_grown(self._objects, f"attempts/{number}/{TRACE}")
        return self._objects.folder
