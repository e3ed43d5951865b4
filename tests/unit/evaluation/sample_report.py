"""A report with round numbers."""

from rkd_online.evaluation.measurement import Compared, Estimate, Lengths, Measurement
from rkd_online.evaluation.report import PairedGains, Report, Warned
from rkd_online.types import StepReport


def score(value: float, spread: float = 0.03, n: int = 256) -> Estimate:
    return Estimate(value=value, low=value - spread, high=value + spread, n=n)


def three(teacher: float | None, before: float, after: float) -> Compared[Estimate]:
    return Compared[Estimate](
        teacher=None if teacher is None else score(teacher),
        student_before=score(before),
        student_after=score(after),
    )


def gains(
    after: float, lead: float | None = None, *, spread: float = 0.03, n: int = 256
) -> PairedGains:
    """Differences of pass@1 that student and teacher have to the student before."""
    return PairedGains(
        after_less_before=score(after, spread, n),
        teacher_less_before=None if lead is None else score(lead, spread, n),
        teacher_less_after=None if lead is None else score(lead - after, spread, n),
    )


def measurement(
    value: float, *, tokens: float, samples: int = 4, cut: float = 0.0, unjudged: int = 0
) -> Measurement:
    ks = [k for k in (1, 2, 4) if k <= samples]
    groups = {"2 terms": score(0.5), "[4] terms": score(0.3)}
    return Measurement(
        samples=samples,
        pass_at_k={k: score(1 - (1 - value) ** k, 0.01) for k in ks} | {1: score(value)},
        by_task={"sums": dict.fromkeys(ks, score(value))},
        by_difficulty={name: dict.fromkeys(ks, one) for name, one in groups.items()},
        distinct_correct={k: score(value * k**0.5) for k in ks},
        tokens=Lengths(mean=score(tokens), p10=12, median=22, p90=31, longest=64),
        truncated_share=score(cut),
        answered_share=score(0.97, 0.01),
        reward_parts={"verifier": score(value), "format": score(0.75)},
        unjudged=unjudged,
        answers_per_second=1500.0,
    )


def report(
    *,
    with_teacher: bool = True,
    unjudged: int = 0,
    early_stop: str | None = None,
    warnings: tuple[Warned, ...] = (),
) -> Report:
    """Half of the gap from 0.4 to 0.9 closed in two steps."""
    teacher = 0.9 if with_teacher else None
    sampled = Compared[Measurement](
        teacher=measurement(0.9, tokens=21.0) if with_teacher else None,
        student_before=measurement(0.4, tokens=23.0, cut=0.125),
        student_after=measurement(0.65, tokens=22.5, unjudged=unjudged),
    )
    greedy = Compared[Measurement](
        teacher=measurement(0.95, tokens=21.0, samples=1) if with_teacher else None,
        student_before=measurement(0.8, tokens=23.0, samples=1),
        student_after=measurement(0.85, tokens=22.5, samples=1),
    )
    return Report.model_validate(
        {
            "job": "job-1",
            "name": "quickstart",
            "algorithm": "rlad",
            "steps": 2,
            "early_stop": early_stop,
            "summary": "The student improved",
            "headline": "temperature_1",
            "pass_at_1": three(teacher, 0.4, 0.65),
            "paired": gains(0.25, 0.5 if with_teacher else None, spread=0.02),
            "gap_closed": 0.5 if with_teacher else None,
            "gap_closed_reason": None if with_teacher else "the job has no teacher",
            "tokens_per_answer": _numbers(21.0 if with_teacher else None, 23.0, 22.5),
            "answers_per_second": _numbers(1500.0 if with_teacher else None, 1500.0, 1500.0),
            "decodings": {"temperature_1": sampled, "greedy": greedy},
            "checkpoints": {
                "last": "attempts/1/checkpoints/step-000002",
                "best": "attempts/1/checkpoints/step-000001",
                "best_by": "reward/mean",
            },
            "stage_seconds": {"generate": 3.0, "update": 1.0},
            "loop_share": 0.05,
            "training_seconds": 4.2,
            "rollouts": 512,
            "completion_tokens": 12_000,
            "spec_digest": "0" * 64,
            "versions": {"torch": "2.13.0+cpu"},
            "warnings": warnings,
        }
    )


def steps() -> list[StepReport]:
    metrics = {"reward/mean": 0.5, "policy/kl_teacher": 0.2, "policy/clip_low_share": 0.01}
    return [StepReport(n, n, 0, {"step": 2.0}, metrics) for n in (1, 2)]


def _numbers(teacher: float | None, before: float, after: float) -> Compared[float]:
    return Compared[float](teacher=teacher, student_before=before, student_after=after)
