"""Lines that wait to be sent: on disk, so that memory holds none of them however long they wait."""

import logging
import os
import shutil
from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from rkd_online.files import whole

log = logging.getLogger(__name__)

MOST_BESIDE = 1000
"""Lines that may wait in memory while the disk takes none."""


class Spool:
    """A queue whose lines lie in a file, one behind the other, each written before ``add`` returns.

    Where the disk takes no more they wait in memory until it does; of too many the newest ones are
    lost, but never the very last. Calls of several threads need a lock.
    """

    def __init__(self, path: Path) -> None:
        """``path`` is there while something waits."""
        self._path = path
        self._file: int | None = None
        self._start = 0
        self._end = 0
        self._count = 0
        """Lines in the file from ``_start`` to ``_end``: those that wait."""
        self._beside: deque[bytes] = deque()

    def __len__(self) -> int:
        return self._count + len(self._beside)

    def add(self, line: bytes) -> None:
        """Queue a line, which has no line break in it."""
        if len(self._beside) >= MOST_BESIDE:
            lost = self._beside.pop()
            log.error("%s takes nothing, and memory no more: lost is %.200s", self._path, lost)
        self._beside.append(line)
        self._write()

    def first(self, most: int, size: int) -> list[bytes]:
        """The lines that have waited longest and go on waiting: as many as have, each with a byte
        between, no more than ``size`` bytes, and ``most`` at the most.

        Raises OSError where the file cannot be read.
        """
        lines = self._read(size) if self._count else list(islice(self._beside, most))
        chosen = []
        for line in lines[:most]:
            size -= len(line) + 1
            if size < 0:
                break
            chosen.append(line)
        return chosen

    def drop(self, lines: Sequence[bytes]) -> None:
        """These, the first ones, wait no longer."""
        for line in lines:
            if self._count:
                self._start += len(line) + 1
                self._count -= 1
            else:
                self._beside.popleft()
        if self._end and not self._count:
            self._empty()

    def close(self) -> None:
        """Leave a file of what waits and nothing else; none where nothing does."""
        self._write()
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._beside:
            log.error("%s takes nothing: %d lines are lost", self._path, len(self._beside))
        if not self._count:
            self._path.unlink(missing_ok=True)
        elif self._start:
            self._cut()

    def _write(self) -> None:
        """To the file with what it takes."""
        try:
            while self._beside:
                self._append(self._beside[0] + b"\n")
                self._beside.popleft()
                self._count += 1
        except OSError as error:
            log.warning("%s takes nothing, events wait in memory: %s", self._path, error)

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        written = 0
        while written < len(line):
            # What a full disk cut is not counted, and is written over.
            written += os.pwrite(self._file, line[written:], self._end + written)
        self._end += len(line)

    def _empty(self) -> None:
        assert self._file is not None
        try:
            os.ftruncate(self._file, 0)
            self._start = self._end = 0
        except OSError as error:
            log.warning("%s keeps what was sent: %s", self._path, error)

    def _read(self, size: int) -> list[bytes]:
        assert self._file is not None
        text = os.pread(self._file, min(size, self._end - self._start), self._start)
        lines, end, _ = text.rpartition(b"\n")
        return lines.split(b"\n") if end else []

    def _cut(self) -> None:
        """Rewrite the file without what no longer waits; where there is no room it stays as it is,
        and the numbers of its lines tell."""
        try:
            with (
                whole(self._path) as partial,
                self._path.open("rb") as before,
                partial.open("wb") as rest,
            ):
                before.seek(self._start)
                shutil.copyfileobj(before, rest)
        except OSError as error:
            log.warning("%s keeps what was sent too: %s", self._path, error)
