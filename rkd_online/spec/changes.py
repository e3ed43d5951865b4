"""What may be changed of a job that runs, and the job with such changes."""

from typing import Any, Final, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from rkd_online.errors import SpecError
from rkd_online.spec.algorithm import Fraction, NonNegative
from rkd_online.spec.base import SpecModel
from rkd_online.spec.job import JobSpec
from rkd_online.spec.load import parse_spec

COEFFICIENTS: Final = ("clip_low", "clip_high", "alpha")
"""Those that are fields of the algorithms, under the same names."""


def _unchanged() -> Any:
    """Left out wherever the changes are written, unless it is given."""
    return Field(default=None, exclude_if=lambda value: value is None)


class Changes(SpecModel):
    """New values of a job that runs, at least one; they hold from its next step on."""

    learning_rate: PositiveFloat | None = _unchanged()
    """New ``optimizer.learning_rate``, which its schedule and the phases' factors go by."""
    clip_low: Fraction | None = _unchanged()
    """New ``clip_low`` of every algorithm of the job that has one."""
    clip_high: NonNegative | None = _unchanged()
    """New ``clip_high`` of every algorithm of the job that has one."""
    alpha: Fraction | None = _unchanged()
    """New ``alpha`` of every algorithm of the job that has one."""
    steps: PositiveInt | None = _unchanged()
    """New ``steps``; a job that has begun or done that step ends with the one under way."""
    evaluation_every: NonNegativeInt | None = _unchanged()
    """New ``evaluation.every``: steps between evaluations on the validation split, 0 for none."""

    @property
    def coefficients(self) -> dict[str, float]:
        """The new values of fields of the algorithms, by name."""
        given = {name: getattr(self, name) for name in COEFFICIENTS}
        return {name: value for name, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_dump():
            fields = ", ".join(type(self).model_fields)
            raise ValueError(f"nothing is changed: give at least one of {fields}")
        return self


class ChangesSoFar(SpecModel):
    """All changes that were made to a job, as one."""

    number: PositiveInt
    """How many there were: it rises with each."""
    values: Changes
    """The newest value of everything that was ever changed."""


def merged(earlier: Changes, later: Changes) -> Changes:
    """Both as one: what the later one does not name stays as the earlier one has it."""
    return Changes.model_validate(earlier.model_dump() | later.model_dump())


def changed_spec(spec: JobSpec, changes: Changes) -> JobSpec:
    """The job with the changes.

    Raises SpecError where no algorithm has the field or a phase moves it, and for whatever is wrong
    with the job that results, in the words that a job like that is refused with.
    """
    data = spec.model_dump(mode="json")
    if changes.learning_rate is not None:
        data["optimizer"]["learning_rate"] = changes.learning_rate
    for name, value in changes.coefficients.items():
        _check_settable(spec, name)
        for algorithm in _algorithms(data):
            if name in algorithm:
                algorithm[name] = value
    if changes.steps is not None:
        data["steps"] = changes.steps
    if changes.evaluation_every is not None:
        data["evaluation"]["every"] = changes.evaluation_every
    return parse_spec(data)


def _check_settable(spec: JobSpec, name: str) -> None:
    """Raise SpecError for a coefficient that the job does not have, or moves itself."""
    if not any(name in type(one).model_fields for one in spec.algorithms.values()):
        found = ", ".join(f"{field}.type {one.type!r}" for field, one in spec.algorithms.items())
        raise SpecError(f"{name}: no algorithm of the job has it: found {found}")
    for place, phase in enumerate(spec.phases):
        if name in phase.anneal:
            moved = phase.anneal[name]
            raise SpecError(
                f"{name}: phases.{place}.anneal moves it, to {moved.to:g} in {moved.steps} steps: "
                "what a job moves itself cannot be changed"
            )


def _algorithms(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of a job in plain data."""
    if data["algorithm"] is not None:
        return [data["algorithm"]]
    return [phase["algorithm"] for phase in data["phases"]]
