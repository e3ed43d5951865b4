"""A run that is killed three times ends where an uninterrupted one does."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pyarrow import parquet
from safetensors.torch import load_file

from rkd_online.metrics.sinks import read_reports
from rkd_online.run.records import RunFolder
from rkd_online.types import StepReport

STEPS = 8
SPEC = f"""
version: 1
name: resume
policy: {{model: "zoo:chain-sum/student"}}
teacher: {{model: "zoo:chain-sum/teacher"}}
task: {{type: chain_sum}}
algorithm:
  type: rlad
  reference_kl: {{type: k2, beta: 0.01}}
  teacher_divergence: {{type: jsd, k: 4, weight: 0.1}}
rollout: {{prompts_per_step: 4, group_size: 4, max_new_tokens: 40}}
optimizer: {{learning_rate: 1.0e-3, minibatches: 2, schedule: {{type: cosine, warmup_steps: 2}}}}
evaluation: {{prompts: 8, samples: 2, every: 4, every_prompts: 8}}
checkpoint: {{every: 2, keep: 2}}
steps: {STEPS}
"""
MEASURED_IN_SECONDS = ("throughput/", "idle/", "loop/", "cost/")


def run(spec: Path, folder: Path, kill_at: int = 0) -> int:
    """Exit code of the job in a process of its own."""
    command = [sys.executable, "-m", "tests.integration.run.killed_run"]
    done = subprocess.run(
        [*command, str(spec), str(folder), str(kill_at)],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        timeout=240,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-3000:]
    return done.returncode


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, RunFolder]:
    """The records of the uninterrupted run and of the one that was killed three times."""
    root = tmp_path_factory.mktemp("resume")
    spec = root / "spec.yaml"
    spec.write_text(SPEC)
    assert run(spec, root / "whole") == 0
    for kill_at in (3, 4, 7):
        assert run(spec, root / "killed", kill_at) == -signal.SIGKILL
    assert run(spec, root / "killed") == 0
    return RunFolder(root / "whole"), RunFolder(root / "killed")


def reports(folder: RunFolder) -> list[StepReport]:
    return read_reports([attempt.metrics for attempt in folder.attempts()])


def comparable(report: StepReport) -> dict[str, float]:
    return {
        name: value
        for name, value in report.metrics.items()
        if not name.startswith(MEASURED_IN_SECONDS)
    }


def test_each_attempt_goes_on_from_the_newest_checkpoint(
    folders: tuple[RunFolder, RunFolder],
) -> None:
    steps = [
        [json.loads(line)["step"] for line in attempt.metrics.read_text().splitlines()]
        for attempt in folders[1].attempts()
    ]
    assert steps == [[1, 2, 3], [3, 4], [3, 4, 5, 6, 7], [7, 8]]


def test_metrics_are_those_of_the_uninterrupted_run(folders: tuple[RunFolder, RunFolder]) -> None:
    whole, killed = map(reports, folders)
    assert [report.step for report in killed] == list(range(1, STEPS + 1))
    for one, other in zip(whole, killed, strict=True):
        assert comparable(other) == pytest.approx(comparable(one), rel=0, abs=1e-6)


def test_weights_are_those_of_the_uninterrupted_run(folders: tuple[RunFolder, RunFolder]) -> None:
    one, other = (
        load_file(folder.attempts()[-1].checkpoints / f"step-{STEPS:06d}" / "model.safetensors")
        for folder in folders
    )
    start = load_file(folders[0].attempt(1).checkpoints / "step-000000" / "model.safetensors")
    assert one.keys() == other.keys() == start.keys()
    for name in one:
        assert torch.allclose(one[name], other[name], rtol=0, atol=1e-6), name
    assert max(float((one[name] - start[name]).abs().max()) for name in one) > 1e-4


def test_reports_say_the_same(folders: tuple[RunFolder, RunFolder]) -> None:
    one, other = (json.loads(folder.report.read_text()) for folder in folders)
    for key in ("pass_at_1", "paired", "gap_closed", "steps", "rollouts"):
        assert one[key] == other[key]
    ours, theirs = (found["decodings"]["greedy"]["student_after"] for found in (one, other))
    assert ours["pass_at_k"] == theirs["pass_at_k"]


def test_rollouts_of_a_step_were_sampled_with_the_version_before_it(
    folders: tuple[RunFolder, RunFolder],
) -> None:
    for step in range(1, STEPS + 1):
        path = folders[0].attempt(1).path / "rollouts" / f"step-{step:06d}.parquet"
        table = parquet.read_table(path).to_pylist()
        assert len(table) == 16
        for row in table:
            spans = [
                (span["version"], span["start"], span["end"]) for span in row["weight_versions"]
            ]
            assert spans == [(step - 1, 0, len(row["completion_ids"]))]


def test_policy_keeps_step_zero_the_newest_and_the_best(
    folders: tuple[RunFolder, RunFolder],
) -> None:
    checkpoints = folders[0].attempt(1).checkpoints
    kept = {int(path.name.removeprefix("step-")) for path in checkpoints.iterdir()}
    # The reward of a step is that of the version before it, which sampled.
    sampled = {report.step - 1: report.metrics["reward/mean"] for report in reports(folders[0])}
    best = max((0, 2, 4, 6), key=lambda step: sampled[step])
    assert kept == {0, 6, 8, best}
