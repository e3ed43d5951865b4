"""Memory of all processes of one benchmark, daemons included."""

import os
import threading
from pathlib import Path
from typing import Self
from uuid import uuid4

MARK = "RKD_BENCHMARK"
EVERY_SECONDS = 2.0


class PeakMemory:
    """Marks what this process starts by an environment variable, which daemons inherit too, and
    looks every few seconds at the proportional set size (PSS) of all that carry the mark.

    PSS counts a page that several processes share once over all of them.
    """

    def __init__(self) -> None:
        self._mark = f"{MARK}={uuid4().hex}"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.bytes = 0

    def __enter__(self) -> Self:
        os.environ[MARK] = self._mark.partition("=")[2]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        del os.environ[MARK]

    @property
    def gib(self) -> float:
        """The most that was seen, in GiB."""
        return self.bytes / 2**30

    def _watch(self) -> None:
        while not self._done.wait(EVERY_SECONDS):
            seen = sum(
                _pss(process) for process in Path("/proc").glob("[0-9]*") if self._own(process)
            )
            self.bytes = max(self.bytes, seen)

    def _own(self, process: Path) -> bool:
        try:
            return self._mark.encode() in (process / "environ").read_bytes().split(b"\0")
        except OSError:
            return False  # it ended, or is another user's


def _pss(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    (kib,) = [line.split()[1] for line in lines if line.startswith("Pss:")]
    return int(kib) * 1024
