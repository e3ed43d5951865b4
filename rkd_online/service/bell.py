"""Wakes readers of a job's events when one is written. The database stays the truth."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Bell:
    """In-process only: a reader must look again by itself after its timeout."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.key_changes = 0
        """How often keys have changed in this process."""

    def ring(self, job_id: str) -> None:
        """Wake every listener of a job. Call it after the commit, or readers look too early."""
        for listener in self._listeners.get(job_id, ()):
            listener.set()

    def ring_all(self) -> None:
        """Wake everybody: keys have changed, and some may not listen any more."""
        self.key_changes += 1
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.set()

    @contextmanager
    def listen(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set by the next ring. Listen before reading, or a ring is missed."""
        listener = asyncio.Event()
        self._listeners[job_id].add(listener)
        try:
            yield listener
        finally:
            self._listeners[job_id].discard(listener)
            if not self._listeners[job_id]:
                del self._listeners[job_id]


async def wait_for_ring(listener: asyncio.Event, seconds: float) -> None:
    """Return at the ring, or after ``seconds``."""
    with suppress(TimeoutError):
        await asyncio.wait_for(listener.wait(), seconds)
    listener.clear()
