"""The report of a job: what was gained, and what it took."""

from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, Field, NonNegativeFloat, NonNegativeInt

from rkd_online.evaluation.measurement import Compared, Measurement, PassAt1, Record


class NamedCheckpoints(Record):
    """Where to find the two checkpoints that a user asks for, relative to the report's folder."""

    last: str
    """After the last step: the one that the report measured."""
    best: str
    """The best by ``best_by``."""
    best_by: str
    """The job's ``checkpoint.best_metric``."""


class Report(Record):
    """``report.json``."""

    job: str
    """Id of the job."""
    name: str
    """Name in its spec."""
    algorithm: str
    """Type of its algorithm."""
    steps: NonNegativeInt
    """Steps trained."""
    summary: str
    """What came out, in one sentence."""
    pass_at_1: Compared[PassAt1]
    """On the test split at temperature 1, with 95 % intervals (bootstrap by prompt)."""
    greedy_pass_at_1: Compared[PassAt1]
    """On the test split at temperature 0."""
    gap_closed: float | None
    """(after - before) / (teacher - before) of pass@1; null where the teacher is not ahead."""
    gap_closed_reason: str | None
    """Why ``gap_closed`` is null; null where it is a number."""
    tokens_per_answer: Compared[float]
    """Mean completion tokens."""
    answers_per_second: Compared[float]
    """Answers sampled per second."""
    truncated_share: Compared[float]
    """Share of answers that were cut at the token limit."""
    by_difficulty: Compared[dict[str, PassAt1]]
    """pass@1 of each difficulty group."""
    checkpoints: NamedCheckpoints
    """The last and the best."""
    stage_seconds: dict[str, NonNegativeFloat]
    """Time by stage over all steps."""
    loop_share: NonNegativeFloat
    """Share of the steps' time in which neither generator, scorer nor learner worked."""
    training_seconds: NonNegativeFloat
    """Time of all steps."""
    rollouts: NonNegativeInt
    """Rollouts trained on."""
    completion_tokens: NonNegativeInt
    """Completion tokens trained on."""
    spec_digest: str
    """SHA-256 of the resolved spec as compact JSON."""
    versions: dict[str, str]
    """Version by package."""
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """When the report was made."""


def gap_closed(compared: Compared[PassAt1]) -> float | None:
    """Share of the teacher's lead over the untrained student that training made up."""
    if compared.teacher is None or why_no_gap(compared) is not None:
        return None
    lead = compared.teacher.value - compared.student_before.value
    return (compared.student_after.value - compared.student_before.value) / lead


def why_no_gap(compared: Compared[PassAt1]) -> str | None:
    """Why there is no gap to close; None where there is one."""
    before, teacher = compared.student_before, compared.teacher
    if teacher is None:
        return "the job has no teacher"
    if teacher.value <= before.value:
        return (
            f"the teacher ({teacher.value:.3f}) is not ahead of the student before training "
            f"({before.value:.3f})"
        )
    return None


def summarize(compared: Compared[PassAt1]) -> str:
    """What came out, in one sentence that claims no more than the intervals carry."""
    before, after, teacher = compared.student_before, compared.student_after, compared.teacher
    change = f"pass@1 {before.value:.2f} -> {after.value:.2f}"
    if after.high < before.low:
        return f"The student got worse: {change}"
    if after.low <= before.high:
        return f"No change that {after.n} prompts can show: {change}, the intervals overlap"
    share = gap_closed(compared)
    if teacher is None or share is None:
        return f"The student improved: {change}; {why_no_gap(compared)}"
    if teacher.low <= before.high:
        return f"The student improved: {change}; teacher {teacher.value:.2f}, not clearly ahead"
    return f"The student closed {share:.0%} of the gap: {change}, teacher {teacher.value:.2f}"


def compared(
    before: Measurement, after: Measurement, teacher: Measurement | None
) -> dict[str, Compared[Any]]:
    """Every measured quantity of the three models, by the report's field."""
    return {
        name: Compared(
            teacher=None if teacher is None else getattr(teacher, name),
            student_before=getattr(before, name),
            student_after=getattr(after, name),
        )
        for name in Measurement.model_fields
    }
