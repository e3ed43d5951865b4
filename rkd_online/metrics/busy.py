"""When a role works: spans on the machine's wall clock, drained once a step."""

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


class BusyClock:
    """Collects the spans of one role."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._spans: list[BusySpan] = []

    @contextmanager
    def busy(self, stage: str) -> Iterator[None]:
        """Record the time of the block."""
        start = time.time()
        try:
            yield
        finally:
            self._spans.append(BusySpan(self._role, stage, start, time.time()))

    def take(self) -> list[BusySpan]:
        """The spans since the last call."""
        spans, self._spans = self._spans, []
        return spans


def covered_seconds(spans: Iterable[BusySpan], start: float, end: float) -> float:
    """Seconds between ``start`` and ``end`` in which at least one role worked."""
    total, reached = 0.0, start
    for span in sorted(spans, key=lambda span: span.start):
        begin, finish = max(span.start, reached), min(span.end, end)
        if finish > begin:
            total += finish - begin
            reached = finish
    return total
