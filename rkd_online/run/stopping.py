"""Whether a job ends before its steps: a function of what its steps reported.

A resumed run is given the reports of the steps before it, and ends where the first one would have.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from rkd_online.spec.early_stop import NeverStop, ReachedStop, goal, reached
from rkd_online.spec.job import JobSpec
from rkd_online.spec.plateau import PlateauEnd, plateau_reason, plateaued
from rkd_online.types import StepReport


@dataclass(frozen=True, slots=True)
class Stop:
    """The step that was the last, and why."""

    step: int
    reason: str

    def event(self) -> dict[str, object]:
        """As the job's records have it."""
        return asdict(self)


class Stopping:
    """The last step of a job, as far as it is known."""

    def __init__(self, spec: JobSpec, earlier: Iterable[StepReport] = ()) -> None:
        """``earlier`` are the reports of the steps that are done."""
        self._rule = spec.early_stop
        self._last = spec.steps
        self._values: tuple[float, ...] = ()
        self.stop: Stop | None = None
        for report in earlier:
            self.done(report)

    @property
    def last(self) -> int:
        """The job's last step, unless it is to end before; where ``steps`` was set to fewer than it
        had done, the last that it did."""
        return self._last if self.stop is None else self.stop.step

    def change(self, spec: JobSpec, done: int) -> None:
        """A changed job ends after its steps, or with the ``done`` ones."""
        self._last = max(spec.steps, done)

    def steps(self, done: int) -> Iterator[int]:
        """The steps after the first ``done``, until one of them was the last."""
        while done < self.last:
            done += 1
            yield done

    def done(self, report: StepReport) -> Stop | None:
        """Learn what a step reported; the stop, where that makes it the job's last."""
        self._last = max(self._last, report.step)
        if isinstance(self._rule, NeverStop) or self._rule.metric not in report.metrics:
            return None
        self._values = (*self._values, report.metrics[self._rule.metric])
        reason = _reason(self._rule, self._values)
        if reason is None or report.step >= self.last:
            return None
        self.stop = Stop(report.step, reason)
        return self.stop


def _reason(rule: PlateauEnd | ReachedStop, values: tuple[float, ...]) -> str | None:
    """Why the job ends with the last of these values; None where it goes on."""
    if isinstance(rule, PlateauEnd):
        return plateau_reason(rule) if plateaued(rule, values) else None
    if not reached(rule, values[-1]):
        return None
    return f"{rule.metric} is {values[-1]:.3f}, {goal(rule)}"
