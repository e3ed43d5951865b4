"""Seconds by stage of one step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageClock:
    """Adds up named stretches of one step."""

    def __init__(self) -> None:
        self.started = time.time()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to ``name``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """Add to ``name``."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
