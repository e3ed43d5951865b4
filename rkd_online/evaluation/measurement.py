"""What was measured of one model, as it stands in ``report.json``. Plain data, no numpy."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveInt

T = TypeVar("T")


class Record(BaseModel):
    """Base of all records of a report: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Estimate(Record):
    """A mean over prompts, with its 95 % interval (bootstrap by prompt)."""

    value: float
    """The mean."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    n: PositiveInt
    """Number of prompts."""


class Lengths(Record):
    """Completion tokens of an answer, end token included."""

    mean: Estimate
    """Mean over all answers."""
    p10: NonNegativeFloat
    """A tenth of the answers is at most this long."""
    median: NonNegativeFloat
    """Half of the answers is at most this long."""
    p90: NonNegativeFloat
    """All but a tenth of the answers are at most this long."""
    longest: NonNegativeInt
    """The longest answer."""


class Measurement(Record):
    """How one model answers the held-out prompts by one decoding."""

    samples: PositiveInt
    """Answers to each prompt."""
    pass_at_k: dict[PositiveInt, Estimate]
    """By k, the chance that one of k answers is correct; with k = 1 the mean over all ``samples``
    answers, which papers also call mean@k or avg@k."""
    by_task: dict[str, dict[PositiveInt, Estimate]]
    """``pass_at_k`` of each task: of a mixture there are several."""
    by_difficulty: dict[str, dict[PositiveInt, Estimate]]
    """``pass_at_k`` of each difficulty group."""
    distinct_correct: dict[PositiveInt, Estimate]
    """By k, how many different correct completions k answers are expected to hold."""
    tokens: Lengths
    """How long answers are."""
    truncated_share: Estimate
    """Share of the answers that were cut at the token limit."""
    answered_share: Estimate
    """Share of the answers in which the job's extractor finds an answer: the format is kept."""
    reward_parts: dict[str, Estimate]
    """Mean of each part of the reward before its weight, over the prompts of the tasks that have
    it; 0 where judging failed."""
    unjudged: NonNegativeInt
    """Answers whose judging failed; they count as not correct."""
    answers_per_second: NonNegativeFloat
    """Answers sampled per second of wall time, all prompts at once."""

    @property
    def pass_at_1(self) -> Estimate:
        """Share of answers that are correct."""
        return self.pass_at_k[1]


class Compared(Record, Generic[T]):
    """One quantity of the three models. ``teacher`` is null where the job has none."""

    teacher: T | None
    student_before: T
    student_after: T
