"""A student learns from a store of its teacher's samples, and gets better."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import load_dataset
from pyarrow import parquet

from rkd_online.cli.evaluation_spec import asked
from rkd_online.metrics.sinks import read_reports
from rkd_online.run.collect import collect as collected
from rkd_online.run.collection_folder import begin
from rkd_online.run.inline import run_inline
from rkd_online.run.records import RunFolder
from rkd_online.spec import JobSpec
from rkd_online.spec.store_files import read_store_manifest
from rkd_online.zoo import zoo_path
from tests.integration.run.finished_run import TOLERANCE, Run, logprobs

PROMPTS, SAMPLES, STEPS = 192, 2, 24
RKD = [sys.executable, "-m", "rkd_online.cli"]


def collect(out: Path) -> str:
    command = [*RKD, "collect", "zoo:chain-sum/teacher", "chain_sum", "--out", str(out)]
    command += ["--prompts", str(PROMPTS), "--samples", str(SAMPLES), "--max-new-tokens", "48"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout if done.returncode == 0 else done.stderr


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stores") / "teacher"
    words = f"{PROMPTS} prompts answered\nwritten: {out}, 384 completions of 192 prompts\n"
    assert collect(out) == words
    return out


@pytest.fixture(scope="module")
def trained(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    values: dict[str, Any] = {
        "version": 1,
        "name": "sft",
        "policy": {"model": "zoo:chain-sum/student"},
        "task": {"type": "chain_sum"},
        "algorithm": {"type": "sft"},
        "rollout": {
            "source": {"type": "store", "path": str(store)},
            "prompts_per_step": 32,
            "max_new_tokens": 48,
        },
        "optimizer": {"learning_rate": 1e-3},
        "evaluation": {
            "prompts": 96, "samples": 2, "decoding": ["temperature_1"], "every": 12,
            "every_prompts": 32,
        },
        "checkpoint": {"every": 12, "best_metric": "validation/pass_at_1"},
        "resources": {"generator": {"kv_cache_mib": 32}},
        "steps": STEPS,
    }  # fmt: skip
    spec = JobSpec.model_validate(values)
    folder = RunFolder(tmp_path_factory.mktemp("sft") / "sft")
    return Run(folder, spec, run_inline(spec, folder))


def test_the_store_has_what_the_teacher_says_to_training_prompts(
    store: Path, tmp_path: Path
) -> None:
    found = read_store_manifest(store)
    assert (found.groups, found.rows, found.task) == (PROMPTS, 384, "chain_sum")
    assert found.sampled_by == found.judged_by == "zoo:chain-sum/teacher"
    rows = list(load_dataset(str(store), split="train", cache_dir=str(tmp_path)))
    assert {row["split"] for row in rows} == {"train"}
    assert [row["prompt_index"] for row in rows[::SAMPLES]] == list(range(PROMPTS))
    # Its model card: 0.992 at temperature 1.
    assert sum(row["correct"] for row in rows) >= 365
    assert all(row["teacher_logprobs"] == row["sampler_logprobs"] for row in rows)
    plain = logprobs(zoo_path("zoo:chain-sum/teacher"), rows[0], 1.0)
    assert (torch.tensor(rows[0]["teacher_logprobs"]) - plain).abs().max() < TOLERANCE


def test_a_store_that_is_there_is_refused(store: Path) -> None:
    assert f"--out {store} holds a store already: choose another folder" in collect(store)


def test_a_collection_that_was_cut_goes_on_with_the_waves_that_it_lacks(
    store: Path, tmp_path: Path
) -> None:
    """The same shards, without the model being asked again; another question is refused."""
    options = {
        "evaluation.prompts": 6, "evaluation.samples": 2, "rollout.max_new_tokens": 24,
        "rollout.temperature": 1.0,
    }  # fmt: skip
    (spec,) = asked({"teacher": "zoo:chain-sum/teacher"}, "chain_sum", options).values()
    watched: list[tuple[int, int]] = []

    def run(out: Path) -> list[list[list[int]]]:
        begin(spec, out)
        collected(spec, "teacher", out, lambda done, of: watched.append((done, of)), wave=4)
        shards = sorted((out / "data").iterdir())
        return [parquet.read_table(path)["completion_ids"].to_pylist() for path in shards]

    whole = run(tmp_path / "whole")
    assert len(whole) == 3
    cut = tmp_path / "cut"
    (cut / "data").mkdir(parents=True)
    (cut / "asked.json").write_text(spec.model_dump_json(indent=2) + "\n")
    for name in ("part-00000.parquet", "part-00002.parquet"):
        (cut / "data" / name).write_bytes((tmp_path / "whole" / "data" / name).read_bytes())
    watched.clear()
    assert run(cut) == whole
    assert (watched[0], watched[-1]) == ((4, 6), (6, 6))
    assert not (cut / "asked.json").exists()


def test_the_loss_falls_and_the_student_gets_better(trained: Run) -> None:
    losses = [step.metrics["policy/loss"] for step in trained.steps]
    assert len(losses) == STEPS
    first, last = sum(losses[:4]) / 4, sum(losses[-4:]) / 4
    assert last < 0.6 * first
    gain = trained.report.paired.after_less_before
    assert gain.low > 0.1
    assert trained.report.algorithm == "sft"
    assert trained.report.pass_at_1.teacher is None


def test_a_step_says_nothing_that_a_store_cannot_know(trained: Run) -> None:
    for step in trained.steps:
        names = set(step.metrics)
        assert not [name for name in names if name.startswith("sampler/")]
        assert not {"throughput/generator_tokens_per_second", "rollout/stale_groups"} & names
        assert step.metrics["reward/correct_share"] == 1.0
        assert (step.staleness, step.metrics["rollout/staleness_mean"]) == (0, 0)
        assert {"read", "update", "publish", "swap"} <= set(step.timings)
    assert not trained.folder.attempt(1).rollout_files.exists()
    assert sum("validation/pass_at_1" in step.metrics for step in trained.steps) == 2


def test_a_resumed_run_learns_from_what_the_first_would_have(trained: Run, tmp_path: Path) -> None:
    """The second half from the checkpoint in the middle: the same losses, step by step."""
    folder = RunFolder(tmp_path / "sft")
    folder.write_spec(trained.spec)
    attempt = folder.attempt(1)
    attempt.path.mkdir(parents=True)
    shutil.copytree(trained.folder.evaluations, folder.evaluations)
    for step in (0, 12):
        name = f"step-{step:06d}"
        shutil.copytree(trained.checkpoint(step), attempt.checkpoints / name)
    lines = trained.folder.attempt(1).metrics.read_text().splitlines(keepends=True)
    attempt.metrics.write_text("".join(lines[:12]))
    run_inline(trained.spec, folder)
    resumed = read_reports([folder.attempt(2).metrics])
    assert [step.step for step in resumed] == list(range(13, STEPS + 1))
    expected = [step.metrics["policy/loss"] for step in trained.steps[12:]]
    assert [step.metrics["policy/loss"] for step in resumed] == pytest.approx(expected, abs=1e-6)


def test_the_job_names_its_store_in_its_spec(trained: Run, store: Path) -> None:
    kept = json.loads(trained.folder.spec.read_text())["rollout"]["source"]
    assert kept == {"type": "store", "path": str(store), "minimum_reward": None}
