"""When a role works and what it costs: spans on the machine's wall clock, drained once a step."""

import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BusySpan:
    """One stretch of work, in seconds since the epoch."""

    role: str
    stage: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class WorkLog:
    """What a role did since it was asked last. ``cpu_seconds`` are those of its whole process since
    that began; roles of one process have the same ``process``."""

    spans: tuple[BusySpan, ...]
    process: str
    cpu_seconds: float


class BusyClock:
    """Collects the spans of one role. Work that goes on while it is asked is in both answers."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._spans: list[BusySpan] = []
        self._going_on: dict[object, tuple[str, float]] = {}

    @contextmanager
    def busy(self, stage: str) -> Iterator[None]:
        """Record the time of the block."""
        block = object()
        self._going_on[block] = (stage, time.time())
        try:
            yield
        finally:
            self._end(block, time.time())

    def take(self) -> WorkLog:
        """The work since the last call."""
        now = time.time()
        for block, (stage, _) in list(self._going_on.items()):
            self._end(block, now)
            self._going_on[block] = (stage, now)
        spans, self._spans = self._spans, []
        return WorkLog(tuple(spans), this_process(), time.process_time())

    def _end(self, block: object, now: float) -> None:
        stage, start = self._going_on.pop(block)
        self._spans.append(BusySpan(self._role, stage, start, now))


def this_process() -> str:
    """A name that no other process of the cluster has."""
    return f"{socket.gethostname()}:{os.getpid()}"


def covered_seconds(spans: Iterable[BusySpan], start: float, end: float) -> float:
    """Seconds between ``start`` and ``end`` in which at least one role worked."""
    total, reached = 0.0, start
    for span in sorted(spans, key=lambda span: span.start):
        begin, finish = max(span.start, reached), min(span.end, end)
        if finish > begin:
            total += finish - begin
            reached = finish
    return total
