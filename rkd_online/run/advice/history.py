"""The values that the steps of a job reported, as far back as a rule looks."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

from rkd_online.spec.algorithm import Algorithm

CORRECT: Final = "reward/correct_share"
FIRST: Final = 10
"""A metric began where its first values were: one is noise."""
KEPT: Final = 100
"""The last values of each metric that are kept: the longest look back of any rule."""


class History:
    """Feed it the metrics of each step."""

    def __init__(self) -> None:
        self._first: dict[str, list[float]] = {}
        self._last: dict[str, deque[float]] = {}

    def add(self, metrics: Mapping[str, float]) -> None:
        """What a step reported; a value that is not finite says nothing."""
        for name, value in metrics.items():
            if math.isfinite(value):
                first = self._first.setdefault(name, [])
                if len(first) < FIRST:
                    first.append(value)
                self._last.setdefault(name, deque(maxlen=KEPT)).append(value)

    def has(self, metric: str, count: int) -> bool:
        """Whether there are so many values of the metric."""
        return len(self._last.get(metric, ())) >= count

    def first(self, metric: str) -> list[float]:
        """The values with which the metric began."""
        return self._first.get(metric, [])

    def last(self, metric: str, count: int) -> list[float]:
        """The newest values, at most ``count``, oldest first."""
        return list(self._last.get(metric, ()))[-count:]


@dataclass(frozen=True, slots=True)
class Seen:
    """One metric as a rule looks at it: the newest ``window`` values, those before and the first.

    A mean or median of no value is NaN, with which no comparison holds.
    """

    history: History
    metric: str
    window: int
    algorithm: Algorithm
    """That of the step which was reported last."""

    @property
    def values(self) -> list[float]:
        """The newest values."""
        return self.history.last(self.metric, self.window)

    @property
    def values_before(self) -> list[float]:
        """As many values before them."""
        return self.history.last(self.metric, 2 * self.window)[: -self.window]

    @property
    def now(self) -> float:
        """Median of the newest values, which one wild step does not move."""
        return _median(self.values)

    @property
    def start(self) -> float:
        """Median of the job's first values."""
        return _median(self.history.first(self.metric))

    @property
    def mean(self) -> float:
        """Mean of the newest values."""
        return _mean(self.values)

    @property
    def mean_before(self) -> float:
        """Mean of the values before them."""
        return _mean(self.values_before)

    @property
    def correct(self) -> float:
        """Share of correct answers in as many steps."""
        return self.mean_of(CORRECT)

    @property
    def correct_at_start(self) -> float:
        """The same in the job's first steps."""
        return _mean(self.history.first(CORRECT))

    def mean_of(self, metric: str) -> float:
        """Mean of as many of the newest values of another metric."""
        return _mean(self.history.last(metric, self.window))


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan


def _median(values: Sequence[float]) -> float:
    return median(values) if values else math.nan
