"""Algorithms in turn: when one phase of a job ends, and coefficients that move in the meantime."""

from typing import Annotated, Literal, Self, assert_never

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from rkd_online.spec.algorithm import Algorithm
from rkd_online.spec.base import SpecModel

PlateauMetric = Literal[
    "reward/mean", "reward/correct_share", "validation/pass_at_1", "policy/kl_teacher"
]


class JobEnd(SpecModel):
    """The phase lasts as long as the job."""

    type: Literal["job"] = "job"
    """Names this end."""


class StepEnd(SpecModel):
    """The phase ends after a step."""

    type: Literal["step"]
    """Names this end."""
    step: PositiveInt
    """Its last step, counted from the job's first."""


class PlateauEnd(SpecModel):
    """The phase ends when a metric gets no better."""

    type: Literal["plateau"]
    """Names this end."""
    metric: PlateauMetric
    """What should get better: higher, ``policy/kl_teacher`` lower."""
    patience: PositiveInt
    """This many values in a row that are not better than the best before them end the phase."""
    least_change: NonNegativeFloat = 0.0
    """A value is better when it is more than this beyond the best."""


PhaseEnd = Annotated[JobEnd | StepEnd | PlateauEnd, Field(discriminator="type")]


class Annealing(SpecModel):
    """A coefficient that moves in a straight line, step by step, and then stays."""

    to: float
    """Its value at the end; the algorithm has the one at the phase's first step."""
    steps: PositiveInt
    """Steps after the first at which it is reached."""

    def value(self, start: float, done: int) -> float:
        """The coefficient at the step before which the phase has done ``done`` steps."""
        return start + (self.to - start) * min(1.0, done / self.steps)


class Phase(SpecModel):
    """One algorithm for some of a job's steps."""

    algorithm: Algorithm
    """The objective of the update."""
    until: PhaseEnd = JobEnd()
    """When the next phase begins; the last one lasts as long as the job."""
    anneal: dict[str, Annealing] = Field(default_factory=dict)
    """Coefficients of the algorithm that move, by name."""
    learning_rate_factor: PositiveFloat = 1.0
    """The learning rate of ``optimizer`` is multiplied by this."""

    def algorithm_after(self, done: int) -> Algorithm:
        """The algorithm, in numbers, of the step before which the phase has done ``done`` steps."""
        moved = {
            name: one.value(getattr(self.algorithm, name), done)
            for name, one in self.anneal.items()
        }
        return self.algorithm.model_copy(update=moved)

    @model_validator(mode="after")
    def _anneals_within_range(self) -> Self:
        kind = type(self.algorithm)
        known = [name for name in kind.model_fields if is_coefficient(self.algorithm, name)]
        for name, one in self.anneal.items():
            if name not in known:
                raise ValueError(
                    f"anneal.{name}: {self.algorithm.type} has no such coefficient (it has: "
                    f"{', '.join(known)})"
                )
            try:
                kind.model_validate(self.algorithm.model_dump() | {name: one.to})
            except ValidationError as error:
                said = error.errors()[0]["msg"]
                raise ValueError(f"anneal.{name}.to {one.to:g} is out of range: {said}") from None
        return self


def is_coefficient(algorithm: Algorithm, name: str) -> bool:
    """Whether a field is a number that can move."""
    return isinstance(getattr(algorithm, name), float)


def phase_problem(
    phases: tuple[Phase, ...], *, steps: int, validation_every: int, teacher: bool
) -> str | None:
    """Why these phases of a job of ``steps`` steps cannot be run through, None where they can."""
    first = 1
    for number, phase in enumerate(phases):
        last, where = number == len(phases) - 1, f"phases.{number}.until"
        match phase.until:
            case JobEnd():
                if not last:
                    return (
                        f"{where}.type 'job' leaves no step to the phases after it: set 'step' or "
                        "'plateau'"
                    )
            case _ if last:
                return f"{where}: the last phase lasts as long as the job: leave it out"
            case StepEnd(step=step):
                if not first <= step < steps:
                    return (
                        f"{where}.step {step} cannot end the phase: it begins at step {first} and "
                        f"the job has {steps} steps, set {first} to {steps - 1}"
                    )
                first = step + 1
            case PlateauEnd():
                problem = _plateau_problem(phase.until, steps - first, validation_every, teacher)
                if problem is not None:
                    return f"{where}{problem}"
                first += 1
            case _:
                assert_never(phase.until)
    return None


def _plateau_problem(
    end: PlateauEnd, steps: int, validation_every: int, teacher: bool
) -> str | None:
    """``steps`` are those in which the phase has to end, so that another can follow."""
    if end.metric == "validation/pass_at_1" and validation_every == 0:
        return f".metric {end.metric!r} is never measured: set evaluation.every"
    if end.metric == "policy/kl_teacher" and not teacher:
        return f".metric {end.metric!r} needs a teacher: add teacher.model"
    values = steps // (validation_every if end.metric == "validation/pass_at_1" else 1)
    if end.patience >= values:
        return (
            f".patience {end.patience} can never end the phase: {values} values of {end.metric} "
            f"come before the job's last step, the first of them is the best; set "
            f"{max(values - 1, 1)} or less, or more steps"
        )
    return None


def plateaued(end: PlateauEnd, values: tuple[float, ...]) -> bool:
    """Whether the last ``patience`` of a phase's values are no better than the best before each."""
    sign = -1 if end.metric == "policy/kl_teacher" else 1
    best, waited = float("-inf"), 0
    for value in values:
        better = sign * value > best + end.least_change
        best, waited = (sign * value, 0) if better else (best, waited + 1)
    return waited >= end.patience
