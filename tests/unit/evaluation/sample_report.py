"""A report with round numbers."""

from rkd_online.evaluation.measurement import Compared, PassAt1
from rkd_online.evaluation.report import Report
from rkd_online.types import StepReport


def score(value: float, spread: float = 0.03) -> PassAt1:
    return PassAt1(value=value, low=value - spread, high=value + spread, n=256)


def three(teacher: float | None, before: float, after: float) -> Compared[PassAt1]:
    return Compared[PassAt1](
        teacher=None if teacher is None else score(teacher),
        student_before=score(before),
        student_after=score(after),
    )


def report(*, with_teacher: bool = True) -> Report:
    """Half of the gap from 0.4 to 0.9 closed in two steps."""
    teacher = 0.9 if with_teacher else None
    groups = {"2 terms": score(0.5), "[4] terms": score(0.3)}
    return Report.model_validate(
        {
            "job": "job-1",
            "name": "quickstart",
            "algorithm": "rlad",
            "steps": 2,
            "summary": "The student improved",
            "pass_at_1": three(teacher, 0.4, 0.65),
            "greedy_pass_at_1": three(teacher, 0.8, 0.85),
            "gap_closed": 0.5 if with_teacher else None,
            "gap_closed_reason": None if with_teacher else "the job has no teacher",
            "tokens_per_answer": _numbers(teacher, 23.0, 22.5),
            "answers_per_second": _numbers(teacher, 1500.0, 1510.0),
            "truncated_share": _numbers(teacher, 0.125, 0.0),
            "by_difficulty": Compared[dict[str, PassAt1]](
                teacher=groups if with_teacher else None,
                student_before=groups,
                student_after=groups,
            ),
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
        }
    )


def steps() -> list[StepReport]:
    metrics = {"reward/mean": 0.5, "policy/kl_teacher": 0.2, "policy/clip_low_share": 0.01}
    return [StepReport(n, n, 0, {"step": 2.0}, metrics) for n in (1, 2)]


def _numbers(teacher: float | None, before: float, after: float) -> Compared[float]:
    return Compared[float](teacher=teacher, student_before=before, student_after=after)
