"""A metric that gets no better: what can end a phase, and a job."""

from typing import Final, Literal

from pydantic import NonNegativeFloat, PositiveInt

from rkd_online.spec.base import SpecModel

ProgressMetric = Literal[
    "reward/mean", "reward/correct_share", "validation/pass_at_1", "policy/kl_teacher"
]
VALIDATION: Final = "validation/pass_at_1"
"""The one that has no value at steps without evaluation."""
KL_TEACHER: Final = "policy/kl_teacher"
"""The one that is better when it is lower, and that only a teacher gives."""


class PlateauEnd(SpecModel):
    """A phase, or the job, ends when a metric gets no better."""

    type: Literal["plateau"]
    """Names this end."""
    metric: ProgressMetric
    """What should get better: higher, ``policy/kl_teacher`` lower."""
    patience: PositiveInt
    """It ends when this many values in a row are not better than the best before them."""
    least_change: NonNegativeFloat = 0.0
    """A value is better when it is more than this beyond the best."""


def plateaued(end: PlateauEnd, values: tuple[float, ...]) -> bool:
    """Whether the last ``patience`` of the values are no better than the best before each."""
    sign = -1 if end.metric == KL_TEACHER else 1
    best, waited = float("-inf"), 0
    for value in values:
        better = sign * value > best + end.least_change
        best, waited = (sign * value, 0) if better else (best, waited + 1)
    return waited >= end.patience


def plateau_reason(end: PlateauEnd) -> str:
    """What there is to say where it came."""
    return f"{end.metric} got no better in {end.patience} values"


def metric_problem(metric: ProgressMetric, *, validation_every: int, teacher: bool) -> str | None:
    """Why no step of a job reports the metric; None where some do."""
    if metric == VALIDATION and validation_every == 0:
        return f".metric {metric!r} is never measured: set evaluation.every"
    if metric == KL_TEACHER and not teacher:
        return f".metric {metric!r} needs a teacher: add teacher.model"
    return None


def values_in(metric: ProgressMetric, steps: int, *, validation_every: int) -> int:
    """How many values of the metric that many steps report."""
    return steps // (validation_every if metric == VALIDATION else 1)


def plateau_problem(
    end: PlateauEnd, *, steps: int, validation_every: int, teacher: bool, ends: str
) -> str | None:
    """Why the plateau can never end what it is to end. ``steps`` are those in which it has to, so
    that a step is left."""
    problem = metric_problem(end.metric, validation_every=validation_every, teacher=teacher)
    if problem is not None:
        return problem
    values = values_in(end.metric, steps, validation_every=validation_every)
    if end.patience >= values:
        less = f"{values - 1} or less, or " if values > 1 else ""
        return (
            f".patience {end.patience} can never end {ends}: {values} values of {end.metric} "
            f"come before the job's last step, the first of them is the best; set {less}more steps"
        )
    return None
