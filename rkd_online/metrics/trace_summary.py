"""Where the time of a job went, over all its traced steps."""

import math
from collections import defaultdict

from pydantic import BaseModel

from rkd_online.metrics.busy import covered_seconds
from rkd_online.metrics.trace_steps import LOOP, TracedStep


class TraceSummary(BaseModel):
    """Times in seconds, over all attempts: a step that was done again took time again."""

    attempts: int
    steps: int
    seconds: float
    """From the first stage of each attempt's first step to the end of its last."""
    critical_path: dict[str, float]
    """By stage of the loop; what is left of ``seconds`` lies between the stages."""
    busy: dict[str, float]
    """By worker: when it did anything at all."""


class TraceTotals:
    """Adds up steps as they are read."""

    def __init__(self) -> None:
        self._steps = 0
        self._attempts: dict[int, tuple[float, float]] = {}
        self._stages: defaultdict[str, float] = defaultdict(float)
        self._busy: defaultdict[str, float] = defaultdict(float)

    def add(self, one: TracedStep) -> None:
        """One more step. Work before an attempt's first step, such as measuring the student, does
        not count."""
        ends = [span.end for spans in one.work.values() for span in spans]
        started, _ = self._attempts.get(one.attempt, (one.loop[0].start, 0.0))
        self._attempts[one.attempt] = (started, max(ends))
        self._steps += 1
        for span in one.loop:
            self._stages[span.stage] += span.end - span.start
        for worker, spans in one.work.items():
            if worker != LOOP:
                self._busy[worker] += covered_seconds(spans, started, math.inf)

    def summary(self) -> TraceSummary:
        """The sums so far."""
        return TraceSummary(
            attempts=len(self._attempts),
            steps=self._steps,
            seconds=sum(ended - started for started, ended in self._attempts.values()),
            critical_path=dict(self._stages),
            busy=dict(self._busy),
        )
