"""The step benchmark: rates, what is chosen, what both sides are asked for."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from benchmarks import trl_runs
from benchmarks.__main__ import BENCHMARKS
from benchmarks.our_step import (
    OurSetting,
    job_spec,
    pipelined_grid,
    step_times,
    synchronous_grid,
    window,
)
from benchmarks.step_cases import CASES, Case, JobTimes, StepTimes, together
from benchmarks.step_page import PIPELINED, SYNCHRONOUS, TRL, Measured, Tried, notes, rows
from benchmarks.step_time import Contender, best
from benchmarks.trl_runs import TrlError, TrlSetting, grid, last_words, time_trl
from rkd_online.run.prompts import PromptStream
from rkd_online.run.setup import JobSetup
from rkd_online.spec.job import JobSpec
from rkd_online.types import StepReport, token_ids

SLOW = StepTimes(seconds=(2.0, 4.0, 2.0), tokens=(100, 100, 120), rollouts=8)
FAST = StepTimes(seconds=(1.0, 1.0), tokens=(100, 100), rollouts=8)
CASE = CASES["small"]
LARGE = [case for name, case in CASES.items() if name.startswith("100M")]
SETTING = OurSetting(
    max_staleness=1, generator_threads=1, learner_threads=1, micro_batch_tokens=4096
)


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
        Contender(name, lambda warmup, steps: FAST) for name in ("slow", "broken", "fast")
    )
    assert best([(slow, SLOW), (broken, "RuntimeError: no"), (fast, FAST)]) is fast


def test_the_goal_is_the_ratio_of_pipelined_to_trl() -> None:
    found = Measured(CASE, {TRL: SLOW, SYNCHRONOUS: SLOW, PIPELINED: FAST}, grids={}, jobs={})
    goal, figure, *_ = rows(found)
    assert goal.what == "small: pipelined over TRL"
    assert goal.value == pytest.approx(8 / 3)
    assert (figure.what, figure.value) == ("small: synchronous over TRL", 1.0)


def test_the_rows_have_the_parameters_that_the_model_counts_itself() -> None:
    found = Measured(CASE, {TRL: SLOW, SYNCHRONOUS: SLOW, PIPELINED: FAST}, grids={}, jobs={})
    (row,) = (row for row in rows(found) if row.what == "small: parameters")
    model = AutoModelForCausalLM.from_pretrained(CASE.model_folder())
    assert (row.value * 1e6, row.unit) == (model.num_parameters(), "million")


def test_a_setting_without_times_is_on_the_page_with_the_reason() -> None:
    tried = [
        Tried("vllm", "does not work: `AttributeError: a | b`"),
        Tried("static cache", "took longer than 900 s"),
        Tried("generate", SLOW),
    ]
    found = Measured(CASE, {TRL: SLOW}, grids={TRL: tried, SYNCHRONOUS: [], PIPELINED: []}, jobs={})
    assert notes(found)[-1].splitlines()[-3:] == [
        "| TRL | vllm | does not work: `AttributeError: a \\| b` | |",
        "| TRL | static cache | took longer than 900 s | |",
        "| TRL | generate | 3 | 40 |",
    ]


@pytest.mark.parametrize(
    ("body", "seconds", "why"),
    [
        ("raise ValueError('no weights')", 60, "does not work: `ValueError: no weights`"),
        ("import time; time.sleep(60)", 0, "took longer than 0 s"),
    ],
)
def test_a_setting_that_fails_and_one_that_takes_too_long_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, seconds: int, why: str
) -> None:
    script = tmp_path / "step.py"
    script.write_text(body)
    monkeypatch.setenv("RKD_BENCH_DIR", str(tmp_path))
    monkeypatch.setattr(trl_runs, "SCRIPT", script)
    monkeypatch.setattr(trl_runs, "LONGEST_STEP_SECONDS", seconds)
    monkeypatch.setattr(trl_runs, "trl_python", lambda kind: sys.executable)
    with pytest.raises(TrlError) as caught:
        time_trl(CASE, TrlSetting(parts=4), warmup=0, steps=1)
    assert str(caught.value) == why


def test_an_error_is_the_last_exception_that_a_process_named() -> None:
    said = "[rank0]: AttributeError: no weight_loader\n[rank0]:  \nexiting\n"
    assert last_words(said) == "AttributeError: no weight_loader"
    assert last_words("Killed\n") == "Killed"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_setting_of_trl_divides_the_step(case: Case) -> None:
    assert all(case.rollouts % setting.parts == 0 for setting in grid(case))


@pytest.mark.parametrize("case", LARGE, ids=[case.name for case in LARGE])
def test_a_large_case_tries_few_settings_on_one_cold_step(case: Case) -> None:
    assert (case.rollouts, case.tried_warmup, case.tried) == (32, 0, 1)
    assert (case.warmup, case.steps) == (1, 2)
    assert [(one.generation, one.parts) for one in grid(case)] == [
        ("generate", 4),
        ("generate", 16),
        ("continuous batching", 4),
        ("vllm", 4),
        ("vllm with unpacked weights", 4),
    ]
    assert synchronous_grid(case) == [OurSetting(0, 2, 2, 16_384), OurSetting(0, 2, 2, 2_048)]
    assert pipelined_grid(case) == [
        OurSetting(1, 1, 2, 2_048, "recompute"),
        OurSetting(1, 1, 2, 2_048, "keep"),
        OurSetting(1, 2, 2, 2_048, "keep"),
    ]
    said = (
        "TRL's took 2 s: these grids are the settings worth trying after the grid of the 10M case"
    )
    assert said in notes(_slow_trl(case))[1]


def test_the_full_grids_have_9_3_and_5_settings() -> None:
    case = CASES["10M"]
    assert (len(grid(case)), len(synchronous_grid(case)), len(pipelined_grid(case))) == (9, 3, 5)
    assert "worth trying" not in notes(_slow_trl(case))[1]


def test_only_steps_of_a_pipelined_job_that_overlap_are_timed() -> None:
    assert window(OurSetting(0, 1, 2, 2_048), warmup=0, steps=1) == (slice(0, 1), 1)
    assert window(OurSetting(1, 1, 1, 2_048), warmup=0, steps=1) == (slice(1, 2), 4)
    assert window(OurSetting(2, 1, 1, 2_048), warmup=3, steps=6) == (slice(3, 9), 12)


def test_every_case_is_a_benchmark_of_its_own() -> None:
    steps = {name: rest for name, (module, *rest) in BENCHMARKS.items() if "step_time" in module}
    assert steps == {case.benchmark: [case.name] for case in CASES.values()}
    assert list(steps) == [
        "step-time-small",
        "step-time-10M",
        "step-time-100M",
        "step-time-100M-prompt-heavy",
        "step-time-100M-bfloat16",
    ]


def test_a_job_asks_for_the_case_with_little_beside_its_steps() -> None:
    spec = JobSpec.model_validate(job_spec(CASES["small"], SETTING, steps=9))
    assert (spec.rollout.prompts_per_step, spec.rollout.group_size) == (32, 8)
    assert (spec.rollout.max_new_tokens, spec.rollout.max_staleness) == (64, 1)
    assert (spec.optimizer.learning_rate, spec.optimizer.micro_batch_tokens) == (1e-6, 4096)
    assert (spec.precision.generator, spec.precision.learner) == ("float32", "float32")
    assert (spec.steps, spec.checkpoint.every, spec.evaluation.prompts) == (9, 9, 1)


def test_step_times_are_those_of_the_reports() -> None:
    reports = [
        StepReport(
            step,
            step,
            0,
            {"update": 0.5, "step": seconds},
            {"throughput/tokens_per_second": 400.0, "idle/learner_share": 0.5, "reward/mean": 1.0},
        )
        for step, seconds in ((1, 2.5), (2, 3.5))
    ]
    parts = {"update, s": 0.5, "step, s": 3.0, "idle/learner_share": 0.5}
    assert step_times(reports, CASE) == JobTimes((2.5, 3.5), (1000, 1400), 256, parts)


def test_where_the_time_of_a_job_went_is_on_the_page() -> None:
    whole = JobTimes((1.0,), (100,), 8, {"update, s": 0.25, "idle/learner_share": 0.75})
    part = JobTimes((1.0,), (100,), 8, {"update, s": 0.5})
    jobs = {SYNCHRONOUS: whole, PIPELINED: part}
    found = replace(_slow_trl(CASE), jobs=jobs)
    assert notes(found)[2].splitlines()[2:] == [
        "| | ours, synchronous | ours, pipelined |",
        "|---|---:|---:|",
        "| update, s | 0.25 | 0.5 |",
        "| idle/learner_share | 0.75 |  |",
    ]


def test_both_sides_take_the_same_prompts_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKD_BENCH_DIR", str(tmp_path))
    case = CASES["small"]
    lines = case.prompts_in_order(steps=2).read_text().splitlines()
    answers = [json.loads(line)["answer"] for line in lines]
    spec = JobSpec.model_validate(job_spec(case, SETTING, steps=2))
    folder, probe, weights = case.model_folder(), token_ids([1]), tmp_path / "weights"
    setup = JobSetup("job", 1, spec, folder, {}, (0,), case.context, probe, weights, "file")
    stream = PromptStream(setup)
    assert answers == [stream.request(group).prompt.answer for group in range(64)]


def _slow_trl(case: Case) -> Measured:
    return Measured(case, {TRL: SLOW}, {TRL: [], SYNCHRONOUS: [], PIPELINED: []}, {})
