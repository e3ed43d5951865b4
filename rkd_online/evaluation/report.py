"""The report of a job: what was gained, and what it took."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import AwareDatetime, Field, NonNegativeFloat, NonNegativeInt, ValidationError

from rkd_online.errors import RecordError
from rkd_online.evaluation.measurement import Compared, Estimate, Measurement, Record
from rkd_online.spec.decoding import Decoding

TEACHER_BEHIND: Final = "teacher_behind"
"""The warning that the measured models give, in place of the steps."""
FEWEST_PROMPTS: Final = 6
"""With fewer, even if every prompt changed in one direction, a two-sided sign test at 5 % would not
call it a change: 2 / 2^5 is above 0.05."""


class NamedCheckpoints(Record):
    """Where to find the two checkpoints that a user asks for, relative to the report's folder."""

    last: str
    """After the last step: the one that the report measured."""
    best: str
    """The best by ``best_by``."""
    best_by: str
    """The job's ``checkpoint.best_metric``."""


class Warned(Record):
    """Something that a run found wrong with itself."""

    step: NonNegativeInt
    """The step after which it was found."""
    name: str
    """Which warning it is."""
    message: str
    """What was measured, what it means, what to change."""


class PairedGains(Record):
    """Differences of pass@1 on the same prompts, prompt by prompt, with 95 % intervals."""

    after_less_before: Estimate
    """Student after training less student before."""
    teacher_less_before: Estimate | None
    """Teacher less student before; null where the job has none."""
    teacher_less_after: Estimate | None
    """Teacher less student after; null where the job has none."""


class Report(Record):
    """``report.json``."""

    job: str
    """Id of the job."""
    name: str
    """Name in its spec."""
    algorithm: str
    """Type of its algorithm, or of those of its phases."""
    steps: NonNegativeInt
    """Steps trained."""
    early_stop: str | None
    """After which step the job ended before its steps, and why; null where it did them all."""
    summary: str
    """What came out, in one sentence."""
    headline: Decoding
    """The decoding of ``pass_at_1`` and all that follows from it: the first of the job."""
    pass_at_1: Compared[Estimate]
    """On the test split by the headline's decoding."""
    paired: PairedGains
    """Differences of ``pass_at_1`` by prompt."""
    gap_closed: float | None
    """(after - before) / (teacher - before) of pass@1; null where the teacher is not ahead."""
    gap_closed_reason: str | None
    """Why ``gap_closed`` is null; null where it is a number."""
    tokens_per_answer: Compared[float]
    """Mean completion tokens by the headline's decoding."""
    answers_per_second: Compared[float]
    """Answers sampled per second by the headline's decoding."""
    decodings: dict[Decoding, Compared[Measurement]]
    """All that was measured on the test split, by decoding."""
    checkpoints: NamedCheckpoints
    """The last and the best."""
    stage_seconds: dict[str, NonNegativeFloat]
    """Time by stage over all steps."""
    loop_share: NonNegativeFloat
    """Share of the steps' time in which neither generator, scorer nor learner worked."""
    training_seconds: NonNegativeFloat
    """Time of all steps."""
    rollouts: NonNegativeInt
    """Rollouts of all steps, those included that could not be judged or are masked."""
    completion_tokens: NonNegativeInt
    """Completion tokens trained on."""
    spec_digest: str
    """SHA-256 of the resolved spec as compact JSON."""
    versions: dict[str, str]
    """Version by package."""
    warnings: tuple[Warned, ...]
    """What the job warned of, in the order of the steps."""
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """When the report was made."""

    @property
    def measured(self) -> Compared[Measurement]:
        """The three models by the headline's decoding."""
        return self.decodings[self.headline]


def parse_report(content: bytes | Mapping[str, Any], where: str) -> Report:
    """A report that was written earlier. Raises RecordError where it is of another version."""
    try:
        if isinstance(content, bytes):
            return Report.model_validate_json(content)
        return Report.model_validate(content)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        place = ".".join(map(str, found["loc"])) or "the file"
        raise RecordError(
            f"{where} cannot be shown: it is no report of this version of rkd ({place}: "
            f"{found['msg']}). Its numbers are in the file itself; the models can be measured "
            "again with `rkd eval`"
        ) from error


def gap_closed(compared: Compared[Estimate]) -> float | None:
    """Share of the teacher's lead over the untrained student that training made up."""
    if compared.teacher is None or why_no_gap(compared) is not None:
        return None
    lead = compared.teacher.value - compared.student_before.value
    return (compared.student_after.value - compared.student_before.value) / lead


def why_no_gap(compared: Compared[Estimate]) -> str | None:
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


def teacher_behind(compared: Compared[Estimate], paired: PairedGains) -> str | None:
    """What to say where the prompts show that the teacher is worse than the student was; None where
    they do not."""
    lead = paired.teacher_less_before
    if lead is None or lead.n < FEWEST_PROMPTS or lead.high >= 0:
        return None
    return (
        f"{why_no_gap(compared)}, by prompt {-lead.high:.2f} to {-lead.low:.2f} behind: what it "
        "says of a token draws the student towards worse answers; take another teacher.model, or "
        "an algorithm without one, such as grpo"
    )


def summarize(compared: Compared[Estimate], paired: PairedGains) -> str:
    """What came out, in one sentence that claims no more than the intervals carry."""
    before, after, teacher = compared.student_before, compared.student_after, compared.teacher
    gain, lead = paired.after_less_before, paired.teacher_less_before
    change = f"pass@1 {before.value:.2f} -> {after.value:.2f}"
    if gain.n < FEWEST_PROMPTS:
        return f"Nothing that so few prompts can show ({gain.n}): {change}"
    if gain.high < 0:
        return f"The student got worse: {change}"
    if gain.low <= 0:
        return (
            f"No change that {gain.n} prompts can show: {change}, a difference of "
            f"{gain.low:+.2f} to {gain.high:+.2f}"
        )
    share = gap_closed(compared)
    if teacher is None or lead is None or share is None:
        return f"The student improved: {change}; {why_no_gap(compared)}"
    if lead.low <= 0:
        return f"The student improved: {change}; teacher {teacher.value:.2f}, not clearly ahead"
    return f"The student closed {share:.0%} of the gap: {change}, teacher {teacher.value:.2f}"
