"""Every method of the catalogue in one run, a step each: real engine, teacher and updates."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rkd_online.spec.algorithm import TEACHER_METHODS
from tests.integration.run.finished_run import Run, run

ORDER = (
    "rlad", "opd", "kdrl", "kdrl_mask", "srpo", "hdpo", "rlsd", "topd", "grpo", "gspo", "cispo",
)  # fmt: skip
"""Those with a teacher first, so that the last phases do without it."""
TAUGHT = sum(name in TEACHER_METHODS for name in ORDER)


@pytest.fixture(scope="module")
def turns(tmp_path_factory: pytest.TempPathFactory) -> Run:
    phases: list[dict[str, Any]] = [
        {"algorithm": {"type": name}, "until": {"type": "step", "step": step}}
        for step, name in enumerate(ORDER, start=1)
    ]
    phases[-1] = {
        "algorithm": {"type": "cispo"},
        "anneal": {"clip_high": {"to": 2.0, "steps": 2}},
        "learning_rate_factor": 0.5,
    }
    return run(
        tmp_path_factory.mktemp("turns"),
        "turns",
        policy={"model": "zoo:chain-sum/student"},
        teacher={"model": "zoo:chain-sum/teacher"},
        task={"type": "chain_sum"},
        phases=phases,
        rollout={
            "max_new_tokens": 40,
            "dynamic_sampling": {"type": "refill", "most": 1.0},
            "truncated": "mask",
        },
        optimizer={"learning_rate": 1e-4},
        steps=len(ORDER) + 1,
    )


def test_each_step_learns_by_its_method(turns: Run) -> None:
    assert [step.metrics["phase/index"] for step in turns.steps] == [*range(len(ORDER)), 10]
    for step in turns.steps:
        assert math.isfinite(step.metrics["policy/loss"])
        assert step.metrics["optimizer/gradient_norm"] > 0
        before, after = (
            load_file(turns.checkpoint(number) / "model.safetensors")
            for number in (step.step - 1, step.step)
        )
        assert any(not torch.equal(before[name], after[name]) for name in before), step.step


def test_the_last_phase_moves_its_coefficient_and_halves_the_rate(turns: Run) -> None:
    last = [step.metrics for step in turns.steps[-2:]]
    assert [metrics["phase/clip_high"] for metrics in last] == [4.0, 3.0]
    assert [metrics["optimizer/learning_rate"] for metrics in last] == [5e-5, 5e-5]
    assert "phase/clip_high" not in turns.steps[0].metrics


def test_the_teacher_scores_as_long_as_a_phase_to_come_needs_it(turns: Run) -> None:
    taught = ["policy/kl_teacher" in step.metrics for step in turns.steps]
    assert taught == [True] * TAUGHT + [False] * (len(ORDER) + 1 - TAUGHT)
    assert all(row["teacher_logprobs"] for row in turns.rows(TAUGHT))
    assert {row["teacher_logprobs"] for row in turns.rows(TAUGHT + 1)} == {None}


def test_groups_without_signal_come_in_where_the_method_learns_from_them_alone(turns: Run) -> None:
    """At most as many as a step has groups are dropped, and none by a method that wants them."""
    dropped = {
        name: step.metrics["rollout/flat_groups"]
        for name, step in zip((*ORDER, "cispo"), turns.steps, strict=True)
    }
    wanted = ("opd", "kdrl", "kdrl_mask", "srpo", "hdpo", "topd")
    assert {dropped[name] for name in wanted} == {0}
    assert sum(dropped.values()) > 0
    assert max(dropped.values()) <= 4


def test_the_report_names_the_methods_in_turn(turns: Run) -> None:
    assert turns.report.algorithm == " then ".join(ORDER)
    assert Path(turns.folder.plot).stat().st_size > 10_000
