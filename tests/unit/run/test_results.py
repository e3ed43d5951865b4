"""A job's report from two steps whose numbers are known."""

from dataclasses import replace
from pathlib import Path

import pytest

from rkd_online.evaluation.record import Evaluation
from rkd_online.evaluation.report import NamedCheckpoints, Report
from rkd_online.run.results import make_report
from rkd_online.run.setup import JobSetup
from rkd_online.spec import JobSpec
from rkd_online.types import StepReport, token_ids
from tests.unit.evaluation.evaluations import evaluation

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
    "job-1", 1, SPEC, Path("student"), {}, (0,), 64, token_ids([1]), Path("weights"), "file"
)

CHECKPOINTS = NamedCheckpoints(last="checkpoints/2", best="checkpoints/1", best_by="reward/mean")


def step(number: int, timings: dict[str, float], *, loop_share: float) -> StepReport:
    metrics = {
        "loop/share": loop_share,
        "throughput/tokens_per_second": 50.0,
        "throughput/rollouts_per_second": 6.4,
    }
    return StepReport(number, number, 0, timings, metrics)


BEFORE = evaluation("student-before", [1, 0, 2, 2, 0, 1, 2, 0])
AFTER = evaluation("student-after", [2, 1, 3, 3, 1, 2, 3, 1], tokens=16)
TEACHER = evaluation("teacher", [4, 3, 4, 4, 4, 3, 4, 4])


def test_time_and_tokens_are_added_over_the_steps() -> None:
    steps = [
        step(1, {"generate": 2.0, "update": 1.0, "step": 4.0}, loop_share=0.25),
        step(2, {"generate": 3.0, "update": 1.5, "evaluate": 0.5, "step": 6.0}, loop_share=0.0),
    ]
    report = make_report(SETUP, steps, CHECKPOINTS, before=BEFORE, after=AFTER, teacher=None)
    assert report.stage_seconds == {"generate": 5.0, "update": 2.5, "evaluate": 0.5, "other": 2.0}
    assert report.training_seconds == 10.0
    assert report.loop_share == pytest.approx(0.1)
    assert (report.steps, report.rollouts, report.completion_tokens) == (2, 64, 500)


def test_a_report_says_what_it_is_of() -> None:
    report = made(SETUP, teacher=TEACHER)
    assert (report.job, report.name, report.algorithm) == ("job-1", "two-steps", "grpo")
    assert len(report.spec_digest) == 64
    assert {"rkd-online", "python", "ray", "torch", "transformers"} <= set(report.versions)
    assert report.checkpoints == CHECKPOINTS
    assert report.created.tzinfo is not None


def test_the_headline_is_the_first_decoding_of_the_job() -> None:
    report = made(SETUP, teacher=TEACHER)
    assert report.headline == "temperature_1"
    assert report.measured.teacher == TEACHER.decodings["temperature_1"].measurement
    # 8, 16 and 30 of 32 answers are correct.
    assert report.pass_at_1.teacher is not None
    assert report.pass_at_1.student_before.value == 0.25
    assert report.pass_at_1.student_after.value == 0.5
    assert report.gap_closed == pytest.approx(8 / 22)
    assert (report.tokens_per_answer.student_before, report.tokens_per_answer.student_after) == (
        20.0,
        16.0,
    )


def test_gains_are_paired_by_prompt() -> None:
    paired = made(SETUP, teacher=TEACHER).paired
    # Every prompt has one correct answer of four more than before.
    after = paired.after_less_before
    assert (after.low, after.value, after.high, after.n) == (0.25, 0.25, 0.25, 8)
    assert paired.teacher_less_before is not None and paired.teacher_less_after is not None
    assert paired.teacher_less_before.value == pytest.approx(22 / 32)
    assert paired.teacher_less_after.value == pytest.approx(14 / 32)


def test_without_a_teacher_nothing_is_said_of_one() -> None:
    report = made(SETUP, teacher=None)
    assert report.measured.teacher is None
    assert report.pass_at_1.teacher is None
    assert report.paired.teacher_less_before is None
    assert report.paired.teacher_less_after is None


def test_a_report_of_a_job_with_phases_names_their_algorithms() -> None:
    spec = SPEC.model_dump(mode="json", exclude={"algorithm"})
    ends = {"until": {"type": "step", "step": 1}}
    phases = [{"algorithm": {"type": "grpo"}} | ends, {"algorithm": {"type": "gspo"}}]
    setup = replace(SETUP, spec=JobSpec.model_validate(spec | {"phases": phases}))
    assert made(setup, teacher=None).algorithm == "grpo then gspo"


def test_a_report_has_the_warnings_of_all_steps_and_those_of_the_models() -> None:
    cut = {"rollout/truncated_share": 0.5, "loop/share": 0.0, "throughput/tokens_per_second": 1.0,
           "throughput/rollouts_per_second": 1.0}  # fmt: skip
    steps = [StepReport(number, number, 0, {"step": 1.0}, cut) for number in range(1, 13)]
    report = make_report(SETUP, steps, CHECKPOINTS, before=AFTER, after=AFTER, teacher=BEFORE)
    assert [(one.step, one.name) for one in report.warnings] == [
        (10, "truncated"), (12, "teacher_behind"),
    ]  # fmt: skip
    assert made(SETUP, teacher=TEACHER).warnings == ()


def test_a_report_says_after_which_step_a_job_ended_early_and_why() -> None:
    stop = {"type": "reached", "metric": "reward/mean", "value": 0.5}
    spec = JobSpec.model_validate(SPEC.model_dump(mode="json") | {"early_stop": stop, "steps": 9})
    first, second = (step(number, {"step": 1.0}, loop_share=0.0) for number in (1, 2))
    steps = [
        replace(first, metrics=first.metrics | {"reward/mean": 0.25}),
        replace(second, metrics=second.metrics | {"reward/mean": 0.75}),
    ]
    setup = replace(SETUP, spec=spec)
    report = make_report(setup, steps, CHECKPOINTS, before=BEFORE, after=AFTER, teacher=None)
    assert report.early_stop == "after step 2 of 9: reward/mean is 0.750, at least 0.5"
    assert report.steps == 2
    assert made(SETUP, teacher=None).early_stop is None


def made(setup: JobSetup, *, teacher: Evaluation | None) -> Report:
    steps = [step(1, {"step": 1.0}, loop_share=0.0)]
    return make_report(setup, steps, CHECKPOINTS, before=BEFORE, after=AFTER, teacher=teacher)
