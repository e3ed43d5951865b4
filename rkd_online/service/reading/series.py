"""A metric over the steps of a job, in a bounded number of points."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.store import steps

MOST_STEP: Final = 2**31 - 1


@dataclass(slots=True)
class Bucket:
    """Neighbouring points as one."""

    first: int
    last: int
    count: int
    total: float
    low: float
    high: float

    def add(self, other: "Bucket") -> None:
        """Take the bucket behind this one in."""
        self.last = other.last
        self.count += other.count
        self.total += other.total
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)


class Downsampled:
    """At most ``most`` buckets of as many points each, but for the last: of one point where so few
    come, of two, four and so on where more do. So memory does not grow with the series."""

    def __init__(self, most: int) -> None:
        self.buckets: list[Bucket] = []
        self.size = 1
        """Points of a whole bucket."""
        self._most = most

    def add(self, step: int, value: float) -> None:
        """The next point."""
        point = Bucket(step, step, 1, value, value, value)
        if len(self.buckets) == self._most and self.buckets[-1].count == self.size:
            self._halve()
        if self.buckets and self.buckets[-1].count < self.size:
            self.buckets[-1].add(point)
        else:
            self.buckets.append(point)

    def _halve(self) -> None:
        kept = self.buckets[::2]
        for first, second in zip(kept, self.buckets[1::2], strict=False):
            first.add(second)
        self.buckets = kept
        self.size *= 2


class Counted:
    """Which reports count: of a step that was done again the last one, and none of those that a
    later attempt began before."""

    def __init__(self, first_steps: Mapping[int, float]) -> None:
        """``first_steps`` are by attempt."""
        self._end: dict[int, float] = {}
        self._last = -math.inf
        bound = math.inf
        for attempt in sorted(first_steps, reverse=True):
            self._end[attempt] = bound
            bound = min(bound, first_steps[attempt])

    def counts(self, attempt: int, step: float) -> bool:
        """Asked of each report, in the order in which they came."""
        if not self._last < step < self._end.get(attempt, math.inf):
            return False
        self._last = step
        return True


async def read_series(
    session: AsyncSession,
    job_id: str,
    names: Sequence[str],
    *,
    first: int,
    last: int,
    most: int,
) -> dict[str, Downsampled]:
    """Each of these metrics at the steps ``first`` to ``last``."""
    counted = Counted(await steps.first_steps(session, job_id))
    found = {name: Downsampled(most) for name in names}
    series = list(found.values())
    async for rows in steps.values(session, job_id, names):
        for row in rows:
            attempt, reported, *values = tuple(row)
            step = float(reported)
            if counted.counts(attempt, step) and first <= step <= last:
                _add(series, int(step), values)
    return found


def _add(series: Sequence[Downsampled], step: int, values: Sequence[Any]) -> None:
    for one, value in zip(series, values, strict=True):
        if value is not None:
            one.add(step, float(value))
