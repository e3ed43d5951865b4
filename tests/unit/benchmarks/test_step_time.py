"""The step benchmark: rates, what is chosen, what both sides are asked for."""

import json
from pathlib import Path

import pytest

from benchmarks.our_step import OurSetting, job_spec, step_times
from benchmarks.step_cases import CASES, Case, StepTimes, together
from benchmarks.step_page import PIPELINED, SYNCHRONOUS, TRL, Measured, Tried, notes, rows
from benchmarks.step_time import Contender, best
from benchmarks.trl_runs import grid, last_words
from rkd_online.run.prompts import PromptStream
from rkd_online.run.setup import JobSetup
from rkd_online.spec.job import JobSpec
from rkd_online.types import StepReport, token_ids

SLOW = StepTimes(seconds=(2.0, 4.0, 2.0), tokens=(100, 100, 120), rollouts=8)
FAST = StepTimes(seconds=(1.0, 1.0), tokens=(100, 100), rollouts=8)
CASE = Case("10M", "10M", 32, 128, 64, warmup=2, tried=2, steps=4, at_least=2)
SETTING = OurSetting(max_staleness=1, learner_threads=1, micro_batch_tokens=4096)


def test_rates_are_over_all_steps_and_of_the_median_step() -> None:
    assert SLOW.rollouts_per_second == 3.0
    assert SLOW.median_rollouts_per_second == 4.0
    assert SLOW.tokens_per_second == 40.0
    assert SLOW.median_tokens_per_second == 50.0
    assert SLOW.tokens_per_rollout == pytest.approx(320 / 24)


def test_the_steps_of_all_rounds_count_together() -> None:
    assert together([SLOW, FAST]) == StepTimes((2, 4, 2, 1, 1), (100, 100, 120, 100, 100), 8)


def test_the_fastest_setting_that_works_is_chosen() -> None:
    slow, broken, fast = (
        Contender(name, lambda steps: FAST) for name in ("slow", "broken", "fast")
    )
    assert best([(slow, SLOW), (broken, "RuntimeError: no"), (fast, FAST)]) is fast


def test_the_goal_is_the_ratio_of_pipelined_to_trl() -> None:
    found = Measured(CASE, {TRL: SLOW, SYNCHRONOUS: SLOW, PIPELINED: FAST}, grids={})
    goal, figure, *_ = rows(found)
    assert goal.what == "10M: pipelined over TRL"
    assert goal.value == pytest.approx(8 / 3)
    assert (figure.what, figure.value) == ("10M: synchronous over TRL", 1.0)


def test_a_setting_that_does_not_work_is_on_the_page_with_its_error() -> None:
    tried = {TRL: [Tried("vllm", "AttributeError: a | b"), Tried("generate", SLOW)]}
    found = Measured(CASE, {}, grids=tried | {SYNCHRONOUS: [], PIPELINED: []})
    table = notes([found])[-1].splitlines()
    assert table[-2:] == [
        "| TRL | vllm | does not work: `AttributeError: a \\| b` | |",
        "| TRL | generate | 3 | 40 |",
    ]


def test_an_error_is_the_last_exception_that_a_process_named() -> None:
    said = "[rank0]: AttributeError: no weight_loader\n[rank0]:  \nexiting\n"
    assert last_words(said) == "AttributeError: no weight_loader"
    assert last_words("Killed\n") == "Killed"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_setting_of_trl_divides_the_step(case: Case) -> None:
    assert all(case.rollouts % setting.parts == 0 for setting in grid(case))


def test_a_job_asks_for_the_case_with_little_beside_its_steps() -> None:
    spec = JobSpec.model_validate(job_spec(CASES["small"], SETTING, steps=9))
    assert (spec.rollout.prompts_per_step, spec.rollout.group_size) == (32, 8)
    assert (spec.rollout.max_new_tokens, spec.rollout.max_staleness) == (64, 1)
    assert (spec.optimizer.learning_rate, spec.optimizer.micro_batch_tokens) == (1e-6, 4096)
    assert (spec.precision.generator, spec.precision.learner) == ("float32", "float32")
    assert (spec.steps, spec.checkpoint.every, spec.evaluation.prompts) == (9, 9, 1)


def test_step_times_are_those_of_the_reports() -> None:
    report = StepReport(1, 1, 0, {"step": 2.5}, {"throughput/tokens_per_second": 400.0})
    assert step_times([report], CASE) == StepTimes((2.5,), (1000,), 256)


def test_both_sides_take_the_same_prompts_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKD_BENCH_DIR", str(tmp_path))
    case = CASES["small"]
    lines = case.prompts_in_order(steps=2).read_text().splitlines()
    answers = [json.loads(line)["answer"] for line in lines]
    spec = JobSpec.model_validate(job_spec(case, SETTING, steps=2))
    folder, probe, weights = case.model_folder(), token_ids([1]), tmp_path / "weights"
    setup = JobSetup("job", 1, spec, folder, None, (0,), case.context, probe, weights, "file")
    stream = PromptStream(setup)
    assert answers == [stream.request(group).prompt.answer for group in range(64)]
