"""Files out of an object store, as long as there is room: those used least lately go first."""

import os
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rkd_online.locks import exclusive, taken
from rkd_online.objects.job import JobObjects
from rkd_online.objects.store import Stored
from rkd_online.service.web.problems import ApiError

IN_USE_SECONDS: Final = 60.0
"""A file that was asked for is opened soon after; once open it can be removed and read on."""
NEW_SECONDS: Final = 60.0
LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True)
class _Held:
    tag: str
    bytes: int
    used: float


class ObjectCache:
    """A folder of this process alone. What other processes left when they died is removed."""

    def __init__(self, base: Path, most_bytes: int) -> None:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clear(base)
        self.folder = Path(tempfile.mkdtemp(dir=base))
        self._lock_file = (self.folder / LOCK).open("a")
        taken(self._lock_file)
        self._most = most_bytes
        self._held: OrderedDict[Path, _Held] = OrderedDict()
        self._lock = threading.Lock()
        self._growing = threading.Lock()

    def close(self) -> None:
        """Remove it."""
        self._lock_file.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def fetch(self, objects: JobObjects, path: str, seen: Stored | None) -> Path:
        """An object as a file, as ``seen`` lately; absent where it was not seen, or is gone.
        Raises ApiError for one that is larger than the whole cache."""
        place = objects.here(path)
        if seen is not None and seen.bytes > self._most:
            raise ApiError(
                500,
                "object_too_large",
                f"{path} of the job has {seen.bytes} bytes, the cache {self._most}: raise "
                "RKD_OBJECT_CACHE_MIB",
            )
        if seen is None or not self._is_held(place, seen.tag):
            try:
                if seen is not None:
                    objects.pull(path)
            except FileNotFoundError:
                seen = None
        if seen is None:
            self._drop(place)
        else:
            self._hold(place, seen.tag)
        return place

    def fetch_grown(self, objects: JobObjects, path: str) -> None:
        """A file whose lines are added one by one, as far as they are there."""
        with self._growing:
            place = objects.pull_grown(path)
            if place.is_file():
                self._hold(place, "")

    def _is_held(self, place: Path, tag: str) -> bool:
        with self._lock:
            held = self._held.get(place)
            return held is not None and held.tag == tag and place.is_file()

    def _hold(self, place: Path, tag: str) -> None:
        """Note its use, and make room."""
        now = time.monotonic()
        with self._lock:
            self._held[place] = _Held(tag, place.stat().st_size, now)
            self._held.move_to_end(place)
            total = sum(one.bytes for one in self._held.values())
            while total > self._most:
                oldest, held = next(iter(self._held.items()))
                if now - held.used < IN_USE_SECONDS:
                    break
                total -= held.bytes
                del self._held[oldest]
                oldest.unlink(missing_ok=True)

    def _drop(self, place: Path) -> None:
        with self._lock:
            self._held.pop(place, None)
            place.unlink(missing_ok=True)


def _clear(base: Path) -> None:
    for left in base.iterdir():
        try:
            # One that has just begun has not taken its lock yet.
            if time.time() - os.stat(left).st_mtime < NEW_SECONDS:
                continue
            with exclusive(left / LOCK) as free:
                if free:
                    shutil.rmtree(left, ignore_errors=True)
        except OSError:  # another process clears as well
            continue
