"""When a job ends before its steps, and why some ends could never come."""

from typing import Annotated, Literal

from pydantic import Field

from rkd_online.spec.base import SpecModel
from rkd_online.spec.phases import Phase, taught_steps
from rkd_online.spec.plateau import (
    KL_TEACHER,
    VALIDATION,
    PlateauEnd,
    ProgressMetric,
    metric_problem,
    plateau_problem,
    values_in,
)


class NeverStop(SpecModel):
    """The job does all its steps."""

    type: Literal["never"] = "never"
    """Names this choice."""


class ReachedStop(SpecModel):
    """The job ends when a metric has reached a value."""

    type: Literal["reached"]
    """Names this end."""
    metric: ProgressMetric
    """What is looked at after each step that reports it."""
    value: float
    """It ends when that is at least this, ``policy/kl_teacher`` at most this."""


EarlyStop = Annotated[NeverStop | PlateauEnd | ReachedStop, Field(discriminator="type")]


def reached(stop: ReachedStop, value: float) -> bool:
    """Whether this value of the metric is the one that was waited for, or beyond it."""
    return value <= stop.value if stop.metric == KL_TEACHER else value >= stop.value


def goal(stop: ReachedStop) -> str:
    """The values that are waited for, in words."""
    return f"{'at most' if stop.metric == KL_TEACHER else 'at least'} {stop.value:g}"


def early_stop_problem(
    stop: EarlyStop,
    phases: tuple[Phase, ...],
    *,
    steps: int,
    validation_every: int,
    teacher: bool,
    stored: bool,
) -> str | None:
    """Why this end of a job of ``steps`` steps can never come, or says nothing of the policy since
    the job learns from a store; None where it makes sense."""
    if isinstance(stop, NeverStop):
        return None
    problem = (
        (_offline_problem(stop.metric) if stored else None)
        or metric_problem(stop.metric, validation_every=validation_every, teacher=teacher)
        or _end_problem(stop, phases, steps, validation_every)
    )
    return None if problem is None else f"early_stop{problem}"


def _offline_problem(metric: ProgressMetric) -> str | None:
    if metric == VALIDATION:
        return None
    return (
        f".metric {metric!r} would be that of the store's samples, which says nothing of the "
        f"policy: set {VALIDATION!r}, and evaluation.every"
    )


def _end_problem(
    stop: PlateauEnd | ReachedStop, phases: tuple[Phase, ...], steps: int, validation_every: int
) -> str | None:
    """An end at the last step would be none: it has to come in those before."""
    before = steps - 1
    if stop.metric == KL_TEACHER:
        taught = taught_steps(phases, steps)
        if taught == 0:
            return f".metric {KL_TEACHER!r} is never measured: no algorithm asks the teacher"
        before = min(before, taught)
    if isinstance(stop, PlateauEnd):
        return _outrun(stop, phases) or plateau_problem(
            stop, steps=before, validation_every=validation_every, teacher=True, ends="the job"
        )
    if values_in(stop.metric, before, validation_every=validation_every) == 0:
        every = f", or evaluation.every (found {validation_every}) lower"
        return (
            f".metric {stop.metric!r} has no value before the job's last step, {steps}: set more "
            f"steps{every if stop.metric == VALIDATION else ''}"
        )
    return _value_problem(stop)


def _outrun(stop: PlateauEnd, phases: tuple[Phase, ...]) -> str | None:
    """The first phase sees the values that the job sees."""
    first = phases[0].until
    if not isinstance(first, PlateauEnd) or stop.patience > first.patience:
        return None
    if (stop.metric, stop.least_change) != (first.metric, first.least_change):
        return None
    return (
        f".patience {stop.patience} ends the job no later than phases.0.until.patience "
        f"{first.patience} ends the first phase by the same values, so that no other phase begins: "
        f"set more than {first.patience}"
    )


def _value_problem(stop: ReachedStop) -> str | None:
    share = stop.metric in ("reward/correct_share", VALIDATION)
    if share and not 0 < stop.value <= 1:
        return f".value {stop.value:g} is no share of answers: set above 0, at most 1"
    if stop.metric == KL_TEACHER and stop.value <= 0:
        return f".value {stop.value:g} is no distance from the teacher: set above 0 nats"
    return None
