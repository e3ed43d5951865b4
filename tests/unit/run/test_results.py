"""A job's report from two steps whose numbers are known."""

from pathlib import Path

import pytest

from rkd_online.evaluation.measurement import Measurement, PassAt1
from rkd_online.evaluation.report import NamedCheckpoints
from rkd_online.run.results import make_report
from rkd_online.run.setup import JobSetup
from rkd_online.spec import JobSpec
from rkd_online.types import StepReport, token_ids

SPEC = JobSpec.model_validate(
    {
        "version": 1,
        "name": "two-steps",
        "policy": {"model": "zoo:chain-sum/student"},
        "task": {"type": "chain_sum"},
        "algorithm": {"type": "grpo"},
        "rollout": {"prompts_per_step": 4, "group_size": 8},
        "steps": 2,
    }
)
SETUP = JobSetup(
    "job-1", 1, SPEC, Path("student"), None, (0,), 64, token_ids([1]), Path("weights"), "file"
)

CHECKPOINTS = NamedCheckpoints(last="checkpoints/2", best="checkpoints/1", best_by="reward/mean")


def measurement(value: float) -> Measurement:
    score = PassAt1(value=value, low=value - 0.02, high=value + 0.02, n=256)
    return Measurement(
        pass_at_1=score,
        greedy_pass_at_1=score,
        tokens_per_answer=20.0,
        answers_per_second=100.0,
        truncated_share=0.0,
        by_difficulty={"easy": score},
    )


def step(number: int, timings: dict[str, float], *, loop_share: float) -> StepReport:
    metrics = {"loop/share": loop_share, "throughput/tokens_per_second": 50.0}
    return StepReport(number, number, 0, timings, metrics)


def test_time_and_tokens_are_added_over_the_steps() -> None:
    steps = [
        step(1, {"generate": 2.0, "update": 1.0, "step": 4.0}, loop_share=0.25),
        step(2, {"generate": 3.0, "update": 1.5, "evaluate": 0.5, "step": 6.0}, loop_share=0.0),
    ]
    report = make_report(
        SETUP, steps, CHECKPOINTS, before=measurement(0.4), after=measurement(0.6), teacher=None
    )
    assert report.stage_seconds == {"generate": 5.0, "update": 2.5, "evaluate": 0.5, "other": 2.0}
    assert report.training_seconds == 10.0
    assert report.loop_share == pytest.approx(0.1)
    assert (report.steps, report.rollouts, report.completion_tokens) == (2, 64, 500)


def test_a_report_says_what_it_is_of() -> None:
    steps = [step(1, {"step": 1.0}, loop_share=0.0)]
    report = make_report(
        SETUP,
        steps,
        CHECKPOINTS,
        before=measurement(0.4),
        after=measurement(0.6),
        teacher=measurement(0.9),
    )
    assert (report.job, report.name, report.algorithm) == ("job-1", "two-steps", "grpo")
    assert report.gap_closed == pytest.approx(0.4)
    assert len(report.spec_digest) == 64
    assert {"rkd-online", "python", "ray", "torch", "transformers"} <= set(report.versions)
    assert report.checkpoints == CHECKPOINTS
    assert report.created.tzinfo is not None
