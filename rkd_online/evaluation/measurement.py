"""What was measured of one model, as it stands in ``report.json``. Plain data, no numpy."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt

T = TypeVar("T")


class Record(BaseModel):
    """Base of all records of a report: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class PassAt1(Record):
    """Share of answers that are correct, with its 95 % interval."""

    value: float
    """Mean over prompts of the share of a prompt's samples that are correct."""
    low: float
    """Lower end of the interval (bootstrap by prompt)."""
    high: float
    """Upper end of the interval."""
    n: PositiveInt
    """Number of prompts."""


class Measurement(Record):
    """How one model answers the held-out prompts."""

    pass_at_1: PassAt1
    """At temperature 1, several samples per prompt."""
    greedy_pass_at_1: PassAt1
    """At temperature 0, one answer per prompt."""
    tokens_per_answer: NonNegativeFloat
    """Mean completion tokens, end token included, at temperature 1."""
    answers_per_second: NonNegativeFloat
    """Answers sampled per second of wall time, all prompts at once, at temperature 1."""
    truncated_share: NonNegativeFloat
    """Share of the answers at temperature 1 that were cut at the token limit."""
    by_difficulty: dict[str, PassAt1]
    """``pass_at_1`` of each difficulty group."""


class Compared(Record, Generic[T]):
    """One quantity of the three models. ``teacher`` is null where the job has none."""

    teacher: T | None
    student_before: T
    student_after: T
