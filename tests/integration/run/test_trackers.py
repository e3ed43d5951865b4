"""Runs that report to a real MLflow server, and to files that TensorBoard's own reader reads."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rkd_online.metrics.sinks import read_reports
from rkd_online.metrics.trackers.scalars import scalars
from rkd_online.run.records import RunFolder
from tests.integration.run.mlflow_server import Mlflow, install_packages, served

ROOT = Path(__file__).resolve().parents[3]
SPEC = """
version: 1
name: {name}
policy: {{model: "zoo:chain-sum/student"}}
teacher: {{model: "zoo:chain-sum/teacher"}}
task: {{type: chain_sum}}
algorithm: {{type: rlad}}
rollout: {{prompts_per_step: 4, group_size: 4, max_new_tokens: 40}}
optimizer: {{learning_rate: 1.0e-3}}
evaluation: {{prompts: 4, samples: 2, every: 2, every_prompts: 4}}
checkpoint: {{every: 2, keep: 2}}
resources: {{generator: {{kv_cache_mib: 32}}}}
steps: 4
trackers: [{{type: tensorboard}}, {{type: mlflow, experiment: sums, run_name: {name} run}}]
"""
RUN_SECONDS = 240

Started = subprocess.Popen[str]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_packages(tmp_path_factory.mktemp("packages"))


@contextmanager
def started(packages: Path, folder: Path, uri: str, *, wait_at: int) -> Iterator[Started]:
    """The job in a process of its own, which has the packages of the trackers."""
    spec = folder.with_suffix(".yaml")
    spec.write_text(SPEC.format(name=folder.name))
    command = [sys.executable, "-m", "tests.integration.run.tracked_run", spec, folder, wait_at]
    variables = {"PYTHONPATH": f"{packages}:{ROOT}", "MLFLOW_TRACKING_URI": uri}
    with folder.with_suffix(".err").open("w") as errors:
        process = subprocess.Popen(
            list(map(str, command)),
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def until_step(process: Started, step: int) -> None:
    """The process waits then, before that step goes to the trackers."""
    assert process.stdout is not None
    for line in process.stdout:
        if line == f"done step {step}\n":
            return
    pytest.fail(f"the run ended before step {step}: {process.wait(30)}")


def rest(process: Started) -> tuple[int, list[str]]:
    """Let it go on to its end: its exit code and what it told."""
    output, _ = process.communicate("\n", timeout=RUN_SECONDS)
    told = [line.removeprefix("told ") for line in output.splitlines() if "MLflow" in line]
    return process.returncode, told


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"waited 60 s for {what}"
        time.sleep(0.2)


def has_steps(mlflow: Mlflow, name: str, *steps: int) -> bool:
    run = mlflow.run(name)
    return bool(run) and [step for step, _ in mlflow.history(run, "staleness")] == list(steps)


class Tracked:
    """A job that was killed in step 4, went on from the checkpoint of step 2 and finished, and
    what MLflow says of it then."""

    def __init__(self, packages: Path, root: Path, mlflow: Mlflow) -> None:
        self.folder = RunFolder(root / "twice")
        with started(packages, self.folder.path, mlflow.url, wait_at=4) as process:
            until_step(process, 4)
            until(lambda: has_steps(mlflow, "twice run", 1, 2, 3), "three steps at MLflow")
            self.while_running = mlflow.run("twice run")["info"]["status"]
        with started(packages, self.folder.path, mlflow.url, wait_at=0) as process:
            self.ended = rest(process)
        self.errors = self.folder.path.with_suffix(".err").read_text()
        self.run = mlflow.run("twice run")
        self.history = {name: mlflow.history(self.run, name) for name in self.names()}
        self.files = {name: mlflow.file(self.run, name) for name in ("report.json", "report.png")}

    def names(self) -> set[str]:
        return {name for report in self.counted() for name in scalars(report)}

    def counted(self) -> list[Any]:
        return self.folder.reports()

    def expected(self, name: str) -> list[tuple[int, float]]:
        """What counts of a metric, from metrics.jsonl."""
        values = ((report.step, scalars(report).get(name)) for report in self.counted())
        return [(step, value) for step, value in values if value is not None]


@pytest.fixture(scope="module")
def job(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    root = tmp_path_factory.mktemp("tracked")
    with served(packages, root) as mlflow:
        return Tracked(packages, root, mlflow)


def test_the_resumed_run_ends_well_and_has_nothing_to_tell(job: Tracked) -> None:
    assert job.ended == (0, []), job.errors[-3000:]
    assert [len(read_reports([one.metrics])) for one in job.folder.attempts()] == [4, 2]


def test_mlflow_has_every_value_of_metrics_jsonl(job: Tracked) -> None:
    """Step 3 was done twice: its newest value is the one that counts."""
    assert len(job.names()) > 50
    for name in sorted(job.names()):
        assert sorted(dict(job.history[name]).items()) == job.expected(name), name
    first, second = (read_reports([one.metrics]) for one in job.folder.attempts())
    both = [*first[:3], *second]
    assert job.history["reward/mean"] == [(one.step, one.metrics["reward/mean"]) for one in both]
    assert [step for step, _ in job.history["staleness"]] == [1, 2, 3, 3, 4]


def test_tensorboard_has_one_curve_in_which_the_step_done_again_counts_once(job: Tracked) -> None:
    found = EventAccumulator(str(job.folder.event_files))
    found.Reload()
    curves = {
        name: [(one.step, one.value) for one in found.Scalars(name)]
        for name in found.Tags()["scalars"]
    }
    # Step 3 had the time of a checkpoint, done again it has none: nothing is left of that curve.
    assert {name for name, curve in curves.items() if not curve} == {"timings/checkpoint"}
    assert {name for name, curve in curves.items() if curve} == job.names()
    for name in job.names():
        # Its files have numbers of 32 bits.
        assert curves[name] == [
            (step, pytest.approx(value, rel=1e-6)) for step, value in job.expected(name)
        ], name


def test_one_run_has_both_attempts_and_says_what_the_job_was(job: Tracked) -> None:
    info, data = job.run["info"], job.run["data"]
    assert (job.while_running, info["status"]) == ("RUNNING", "FINISHED")
    assert (job.run["experiment"], info["run_name"]) == ("sums", "twice run")
    assert int(info["end_time"]) > int(info["start_time"])
    tags = {one["key"]: one["value"] for one in data["tags"]}
    assert tags["rkd.job"] == "twice"
    assert tags["rkd.attempt"] == "2"
    assert "rkd.project" not in tags, "rkd run knows of no projects"
    assert tags["rkd.teacher"] == "zoo:chain-sum/teacher"
    assert tags["rkd.algorithm"] == "rlad"
    summary = json.loads(job.folder.report.read_text())["summary"]
    assert tags["mlflow.note.content"] == summary
    parameters = {one["key"]: one["value"] for one in data["params"]}
    assert parameters["optimizer.learning_rate"] == "0.001"
    assert parameters["trackers.1.run_name"] == "twice run"


def test_report_and_plot_are_kept_with_the_run(job: Tracked) -> None:
    assert job.files == {
        "report.json": job.folder.report.read_bytes(),
        "report.png": job.folder.plot.read_bytes(),
    }


@contextmanager
def attempt_of(packages: Path, folder: Path, uri: str, project: str, number: int) -> Iterator[None]:
    """An attempt of a control plane's job, until the server has its step."""
    spec = folder.with_suffix(".yaml")
    spec.write_text(SPEC.format(name=folder.name).replace("{type: tensorboard}, ", ""))
    command = [sys.executable, "-m", "tests.integration.run.tracked_attempt", spec, folder, project]
    variables = {
        "PYTHONPATH": f"{packages}:{ROOT}",
        "RKD_TRACKERS": json.dumps({"default": uri}),
    }
    process = subprocess.Popen(
        [*map(str, command), str(number)],
        env=os.environ | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield
        said, _ = process.communicate("\n", timeout=RUN_SECONDS)
        assert said == ""
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait(30)


def test_runs_of_a_project_are_found_by_its_tag(packages: Path, tmp_path: Path) -> None:
    with served(packages, tmp_path) as mlflow:
        attempts = [("a", "research", [1]), ("a", "research", [1, 2]), ("b", "ads", [1])]
        for name, project, steps in attempts:
            there = partial(has_steps, mlflow, f"{name} run", *steps)
            with attempt_of(packages, tmp_path / name, mlflow.url, project, steps[-1]):
                until(there, f"step {steps[-1]} of {name} at MLflow")
        assert mlflow.tagged("rkd.project", "research") == ["a run"]
        assert mlflow.tagged("rkd.project", "ads") == ["b run"]


def test_a_server_that_dies_costs_the_job_nothing_but_its_metrics(
    packages: Path, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path / "alone")
    with served(packages, tmp_path) as mlflow:
        with started(packages, folder.path, mlflow.url, wait_at=2) as process:
            until_step(process, 2)
            until(lambda: has_steps(mlflow, "alone run", 1), "a step at MLflow")
            mlflow.kill()
            code, told = rest(process)
        name = f"MLflow at {mlflow.url}"
    assert code == 0, folder.path.with_suffix(".err").read_text()[-3000:]
    assert told == [
        f"{name} fails, and the job goes on: [Errno 111] Connection refused",
        f"{name} misses 3 steps of this attempt",
    ]
    assert [one["step"] for one in map(asdict, folder.reports())] == [1, 2, 3, 4]
    assert json.loads(folder.report.read_text())["steps"] == 4
