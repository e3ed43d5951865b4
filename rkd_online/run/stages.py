"""What the loop itself does and waits for during one step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rkd_online.metrics.busy import BusySpan
from rkd_online.metrics.trace_steps import LOOP


class StageClock:
    """The stages of one step, one after the other: the step's critical path."""

    def __init__(self) -> None:
        self.started = time.time()
        self.spans: list[BusySpan] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Record the time of the block."""
        start = time.time()
        try:
            yield
        finally:
            self.add(name, start, time.time())

    def add(self, name: str, start: float, end: float) -> None:
        """Record a stretch, in seconds since the epoch."""
        self.spans.append(BusySpan(LOOP, name, start, end))

    def seconds(self) -> dict[str, float]:
        """Seconds by stage."""
        found: dict[str, float] = {}
        for span in self.spans:
            found[span.stage] = found.get(span.stage, 0.0) + span.end - span.start
        return found
