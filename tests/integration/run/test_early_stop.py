"""A job that ends before its steps, groups under way, killed before and after its last step."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rkd_online.run.records import RunFolder

SPEC: dict[str, Any] = {
    "version": 1,
    "name": "early",
    # The other way round than it should be: the teacher is worse than the student.
    "policy": {"model": "zoo:chain-sum/teacher"},
    "teacher": {"model": "zoo:chain-sum/student"},
    "task": {"type": "chain_sum"},
    "algorithm": {"type": "rlad"},
    "rollout": {"prompts_per_step": 4, "group_size": 4, "max_new_tokens": 40},
    "optimizer": {"learning_rate": 1e-4},
    "evaluation": {"prompts": 64, "samples": 2, "decoding": ["temperature_1"]},
    "checkpoint": {"every": 3, "keep": 5},
    "resources": {"generator": {"kv_cache_mib": 32}},
    # Nothing is better than the first value: four more end the job.
    "early_stop": {
        "type": "plateau", "metric": "policy/kl_teacher", "patience": 4, "least_change": 10.0,
    },
    "steps": 9,
}  # fmt: skip
AFTER = "measuring the student after training"


def run(spec: dict[str, Any], folder: Path, kill_at: int = 0, *messages: str) -> int:
    """Exit code of the job in a process of its own."""
    path = folder.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(spec))
    command = [sys.executable, "-m", "tests.integration.run.killed_run", str(path), str(folder)]
    done = subprocess.run(
        [*command, str(kill_at), *messages],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        timeout=240,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-3000:]
    return done.returncode


def steps(folder: Path) -> list[list[int]]:
    """Those of each attempt."""
    return [
        [json.loads(line)["step"] for line in attempt.metrics.read_text().splitlines()]
        for attempt in RunFolder(folder).attempts()
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("early") / "whole"
    assert run(SPEC, folder) == 0
    return folder


def test_it_ends_at_the_last_step_of_the_plateau_with_a_checkpoint(whole: Path) -> None:
    assert steps(whole) == [[1, 2, 3, 4, 5]]
    report = json.loads((whole / "report.json").read_text())
    assert report["steps"] == 5
    assert report["early_stop"] == (
        "after step 5 of 9: policy/kl_teacher got no better in 4 values"
    )
    assert report["checkpoints"]["last"] == "attempts/1/checkpoints/step-000005"


def test_a_teacher_that_is_worse_than_its_student_is_warned_of(whole: Path) -> None:
    report = json.loads((whole / "report.json").read_text())
    warned = {one["name"]: one for one in report["warnings"]}
    assert warned["teacher_behind"]["step"] == 5
    assert "is not ahead of the student before training" in warned["teacher_behind"]["message"]


def test_a_run_that_is_killed_before_and_after_its_last_step_ends_with_the_same(
    whole: Path,
) -> None:
    killed = whole.with_name("killed")
    assert run(SPEC, killed, 4) == -signal.SIGKILL
    assert run(SPEC, killed, 0, AFTER) == -signal.SIGKILL
    assert run(SPEC, killed) == 0
    assert steps(killed) == [[1, 2, 3, 4], [4, 5], []]
    one, other = (json.loads((path / "report.json").read_text()) for path in (whole, killed))
    for key in ("pass_at_1", "steps", "early_stop", "warnings"):
        assert one[key] == other[key], key


def test_with_staleness_it_ends_while_the_groups_of_three_steps_are_sampled(whole: Path) -> None:
    stale = whole.with_name("stale")
    goal = {"type": "reached", "metric": "reward/mean", "value": 0.1}
    rollout = SPEC["rollout"] | {"max_staleness": 2}
    assert run(SPEC | {"rollout": rollout, "early_stop": goal}, stale) == 0
    assert steps(stale) == [[1]]
    manifest = stale / "attempts/1/checkpoints/step-000001/manifest.json"
    assert len(json.loads(manifest.read_text())["open_groups"]) == 12
