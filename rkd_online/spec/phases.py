"""Algorithms in turn: when one phase of a job ends, and coefficients that move in the meantime."""

from typing import Annotated, Literal, Self, assert_never

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from rkd_online.spec.algorithm import Algorithm, needs_teacher
from rkd_online.spec.base import SpecModel
from rkd_online.spec.plateau import PlateauEnd, plateau_problem


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
                problem = plateau_problem(
                    phase.until,
                    steps=steps - first,
                    validation_every=validation_every,
                    teacher=teacher,
                    ends="the phase",
                )
                if problem is not None:
                    return f"{where}{problem}"
                first += 1
            case _:
                assert_never(phase.until)
    return None


def taught_steps(phases: tuple[Phase, ...], steps: int) -> int:
    """The steps of a job, at most, whose groups a teacher scores: until the last phase that asks
    for it has ended."""
    taught = [phase for phase in phases if needs_teacher(phase.algorithm)]
    if not taught:
        return 0
    end = taught[-1].until
    return min(end.step, steps) if isinstance(end, StepEnd) else steps
