"""What a long benchmark is at, and how long it still takes."""

import time


class Progress:
    """Counts ``runs`` runs; the time left assumes that those to come take as long as those done."""

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self._begun = 0
        self._started = time.monotonic()

    def next(self, what: str) -> None:
        """Another run begins."""
        passed = time.monotonic() - self._started
        left = ""
        if self._begun:
            minutes = passed / self._begun * (self._runs - self._begun) / 60
            left = f", about {minutes:.0f} min left"
        self._begun += 1
        print(f"[{self._begun} of {self._runs}{left}] {what}", flush=True)

    def say(self, what: str) -> None:
        """What the run gave."""
        print(f"    {what}", flush=True)
