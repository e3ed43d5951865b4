"""How an attempt ends, and what it tells the control plane then."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from rkd_online.cluster import entrypoint
from rkd_online.cluster.entrypoint import (
    EXIT_FENCED,
    EXIT_PAUSED,
    final,
    refuse_second_run,
)
from rkd_online.errors import (
    ClusterError,
    ModelError,
    ObjectStoreError,
    ObjectStoreSetupError,
    TooLargeError,
    WeightSyncError,
)
from rkd_online.run import steering
from rkd_online.run.keeping import OnDisk
from rkd_online.run.records import RunFolder
from rkd_online.run.steering import Paused
from rkd_online.spec.job import JobSpec
from rkd_online.spec.load import parse_spec
from tests.unit.spec.job import job


@pytest.mark.parametrize(
    ("error", "first", "second"),
    [
        (ModelError("no bfloat16"), True, True),
        (TooLargeError("needs 8 CPU"), True, False),
        (ClusterError("an actor died"), False, False),
        (WeightSyncError("another version"), False, False),
        (ObjectStoreError("it does not answer"), False, False),
        (ObjectStoreSetupError("names no bucket"), True, True),
        (AttributeError("a mistake of ours"), False, False),
    ],
)
def test_what_another_attempt_would_meet_again_is_final(
    error: Exception, first: bool, second: bool
) -> None:
    assert (final(error, attempt=1), final(error, attempt=2)) == (first, second)


class Control:
    """A sink that keeps what it is told."""

    def __init__(self, *_: object, **__: object) -> None:
        self.fenced = self.stopping = self.pausing = False
        self.changes = None
        self.events: list[tuple[str, dict[str, object]]] = []
        self.closed = False

    def event(self, type: str, data: dict[str, object]) -> None:
        assert not self.closed
        self.events.append((type, data))

    def close(self) -> None:
        self.closed = True


def supervised(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[Control], Coroutine[Any, Any, Any]]
) -> tuple[int, Control]:
    """The exit code of an attempt that runs like this, and what the control plane was told."""
    control = Control()
    monkeypatch.setenv("RKD_CONTROL_URL", "http://plane")
    monkeypatch.setenv("RKD_ATTEMPT_TOKEN", "secret")
    monkeypatch.setattr(entrypoint, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(entrypoint, "ControlPlaneSink", lambda *_, **__: control)
    monkeypatch.setattr(entrypoint, "_run", lambda folder, number, control, keeping: run(control))
    code = asyncio.run(entrypoint._supervise(RunFolder(Path("runs/job")), 1))
    assert control.closed
    return code, control


def test_a_run_that_paused_says_where_and_exits_with_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run(control: Control) -> None:
        control.event("checkpoint", {"step": 4})
        raise Paused(4)

    code, control = supervised(monkeypatch, run)
    assert code == EXIT_PAUSED == 76
    assert control.events == [("checkpoint", {"step": 4}), ("paused", {"step": 4})]


def test_a_run_that_is_called_off_while_it_pauses_does_not_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run(control: Control) -> None:
        control.pausing = control.stopping = True
        await asyncio.sleep(60)

    code, control = supervised(monkeypatch, run)
    assert (code, control.events) == (EXIT_FENCED, [])


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("s3://", "RKD_OBJECT_STORE 's3://' names no bucket: write s3://bucket/prefix"),
        (
            "s3://bucket",
            "an object store needs a package that is not installed (No module named 's3fs'): "
            "install the extra `s3` of rkd-online",
        ),
    ],
)
def test_an_object_store_that_no_attempt_could_use_fails_the_job_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, told: str
) -> None:
    control = Control()
    monkeypatch.setenv("RKD_CONTROL_URL", "http://plane")
    monkeypatch.setenv("RKD_ATTEMPT_TOKEN", "secret")
    monkeypatch.setenv("RKD_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RKD_OBJECT_STORE", address)
    monkeypatch.setattr(entrypoint, "WATCH_SECONDS", 0.01)
    monkeypatch.setattr(entrypoint, "ControlPlaneSink", lambda *_, **__: control)

    def missing(scheme: str, **options: object) -> None:
        raise ImportError("No module named 's3fs'")

    monkeypatch.setattr("fsspec.filesystem", missing)
    code = asyncio.run(entrypoint._supervise(RunFolder(tmp_path / "scratch/runs/job-1"), 1))
    assert (code, control.closed) == (1, True)
    assert control.events == [("failed", {"message": told})]


class Cluster:
    """What an attempt needs of a cluster, until its actors start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.control = Control()
        self.ended: list[str] = []
        self.folder = RunFolder(tmp_path)
        self.folder.write_spec(parse_spec(job()))
        monkeypatch.setattr(steering, "WATCH_SECONDS", 0.01)
        monkeypatch.setattr("rkd_online.cluster.entrypoint.ray.init", lambda **_: None)
        monkeypatch.setattr(entrypoint, "hire", self.hire)
        monkeypatch.setattr(entrypoint, "_prepared", lambda *_: (None, None))

    async def hire(self, job: str, spec: JobSpec, role_label: str) -> "Cluster":
        return self

    async def start(self, setup: object) -> None:
        self.control.pausing = True
        try:
            await asyncio.sleep(0.3)
        finally:
            self.ended.append("start")
        raise ClusterError("the start went on")


def checkpoint(folder: Path, step: int) -> Path:
    folder.mkdir()
    manifest = {
        "format": 3, "step": step, "next_group": 0, "open_groups": [],
        "phase": {"index": 0, "first_step": 1, "values": []},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_run_that_goes_on_pauses_while_it_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster = Cluster(monkeypatch, tmp_path)
    monkeypatch.setenv("RKD_RESUME_FROM", str(checkpoint(tmp_path / "step-000007", 7)))
    with pytest.raises(Paused) as pause:
        asyncio.run(entrypoint._run(cluster.folder, 2, cluster.control, OnDisk()))  # type: ignore[arg-type]
    assert pause.value.step == 7
    assert cluster.ended == ["start"]


def test_a_run_without_a_checkpoint_goes_on_with_its_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster = Cluster(monkeypatch, tmp_path)
    monkeypatch.delenv("RKD_RESUME_FROM", raising=False)
    with pytest.raises(ClusterError, match="the start went on"):
        asyncio.run(entrypoint._run(cluster.folder, 1, cluster.control, OnDisk()))  # type: ignore[arg-type]


def test_an_attempt_that_its_cluster_brings_back_leaves_the_job_to_the_next(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    refuse_second_run(folder, 2)
    folder.attempt(1).metrics.parent.mkdir(parents=True)
    folder.attempt(1).metrics.write_text("")
    refuse_second_run(folder, 2)
    with pytest.raises(ClusterError, match="attempt 1 has run before") as refused:
        refuse_second_run(folder, 1)
    assert not final(refused.value, 1)
