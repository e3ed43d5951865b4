"""Which trackers an attempt has, what they are told, and how its end reaches them."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rkd_online.errors import RkdError, SpecError
from rkd_online.metrics.sinks import Sinks
from rkd_online.metrics.trackers.backend import Ending, Outcome
from rkd_online.run import trackers
from rkd_online.run.records import RunFolder
from rkd_online.run.steering import Paused
from rkd_online.run.trackers import (
    Tracked,
    named_addresses,
    own_addresses,
    tracked,
    without_control_plane,
)
from rkd_online.spec.load import parse_spec
from tests.unit.metrics.trackers.backends import KeptByServer, report
from tests.unit.spec.job import job

MLFLOW = {"type": "mlflow", "endpoint": "team", "experiment": "sums"}


class Told:
    """A sink that keeps messages."""

    def __init__(self) -> None:
        self.messages: list[object] = []

    def report(self, report: object) -> None: ...

    def event(self, type: str, data: dict[str, object]) -> None:
        assert type == "log"
        self.messages.append(data["message"])

    def close(self) -> None: ...


def attempt(folder: Path, *asked: Mapping[str, Any], number: int = 1, **addresses: str) -> Tracked:
    spec = parse_spec(job(trackers=list(asked)))
    return Tracked(spec, RunFolder(folder / "job-1"), number, "identity", "research", addresses)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[KeptByServer]:
    """Every address leads to it."""
    kept = KeptByServer()
    monkeypatch.setattr(trackers, "MlflowServer", lambda address: kept)
    yield kept


async def run(
    attempt: Tracked, error: BaseException | None = None, *, fenced: bool = False
) -> Told:
    told = Told()
    try:
        async with tracked(attempt, told, lambda: fenced) as sink:
            Sinks([sink]).report(report(1))
            if error is not None:
                raise error
    except BaseException as met:
        assert met is error
    return told


def test_a_job_without_trackers_has_none(tmp_path: Path) -> None:
    assert asyncio.run(run(attempt(tmp_path))).messages == []
    assert list(tmp_path.iterdir()) == []


def test_both_trackers_get_the_steps(tmp_path: Path, server: KeptByServer) -> None:
    both = attempt(tmp_path, {"type": "tensorboard"}, MLFLOW, number=3, team="http://mlflow:5000")
    assert asyncio.run(run(both)).messages == []
    found = EventAccumulator(str(tmp_path / "job-1" / "tensorboard"))
    found.Reload()
    assert [one.value for one in found.Scalars("reward/mean")] == [0.25]
    assert [value.value for value in server.values if value.name == "reward/mean"] == [0.25]
    assert server.names == [("sums", "tiny")]
    assert server.tags == {
        "rkd.job": "job-1",
        "rkd.project": "research",
        "rkd.attempt": "3",
        "rkd.policy": "zoo:chain-sum/student",
        "rkd.teacher": "zoo:chain-sum/teacher",
        "rkd.algorithm": "rlad",
        "mlflow.source.name": "rkd-online",
        "mlflow.source.type": "JOB",
    }
    assert server.kept["rollout.max_new_tokens"] == "64"


@pytest.mark.parametrize(
    ("error", "fenced", "statuses"),
    [
        (None, False, ["RUNNING", "FINISHED"]),
        (RuntimeError("broken"), False, ["RUNNING", "FAILED"]),
        (asyncio.CancelledError(), False, ["RUNNING", "KILLED"]),
        (asyncio.CancelledError(), True, ["RUNNING"]),
        (Paused(1), False, ["RUNNING", "SCHEDULED"]),
    ],
)
def test_the_end_of_an_attempt_is_the_status_of_the_run(
    tmp_path: Path,
    server: KeptByServer,
    error: BaseException | None,
    fenced: bool,
    statuses: list[str],
) -> None:
    one = attempt(tmp_path, MLFLOW, team="http://mlflow:5000")
    asyncio.run(run(one, error, fenced=fenced))
    assert server.statuses == statuses


def test_the_report_and_the_plot_go_along_with_a_finished_run_alone(
    tmp_path: Path, server: KeptByServer
) -> None:
    one = attempt(tmp_path, MLFLOW, team="http://mlflow:5000")
    one.folder.path.mkdir()
    one.folder.report.write_text('{"summary": "better"}')
    one.folder.plot.write_bytes(b"picture")
    asyncio.run(run(one, RuntimeError("broken")))
    assert server.files == []
    asyncio.run(run(one))
    assert server.files == ["report.json", "report.png"]


def test_a_server_that_is_no_longer_named_costs_its_metrics_alone(tmp_path: Path) -> None:
    assert asyncio.run(run(attempt(tmp_path, MLFLOW, lab="http://mlflow:5000"))).messages == [
        "MLflow at team: the control plane has no server of this name any more (RKD_TRACKERS); the "
        "job goes on without it",
        "MLflow at team misses 1 step of this attempt",
    ]


def test_a_package_that_the_cluster_lacks_costs_its_metrics_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    first, second = asyncio.run(
        run(attempt(tmp_path, MLFLOW, team="http://u:secret@mlflow:5000"))
    ).messages
    assert str(first).startswith("MLflow at http://mlflow:5000: not installed where the job runs (")
    assert str(first).endswith("): install rkd-online[mlflow] there; the job goes on without it")
    assert second == "MLflow at http://mlflow:5000 misses 1 step of this attempt"


def test_addresses_come_from_the_environment_that_the_control_plane_makes() -> None:
    assert named_addresses({"RKD_TRACKERS": '{"team": "http://a"}'}) == {"team": "http://a"}
    assert named_addresses({}) == {}


def installed(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    monkeypatch.setattr(
        trackers, "find_spec", lambda name: ModuleSpec(name, None) if name in packages else None
    )


def test_without_a_control_plane_mlflows_own_variable_has_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch, "mlflow", "tensorboard")
    spec = parse_spec(job(trackers=[{"type": "tensorboard"}, MLFLOW]))
    assert own_addresses(spec, {"MLFLOW_TRACKING_URI": "http://a"}) == {"team": "http://a"}
    with pytest.raises(SpecError) as refused:
        own_addresses(spec, {})
    assert str(refused.value) == (
        "trackers.1.endpoint: a run without a control plane takes the address of 'team' from "
        "MLFLOW_TRACKING_URI, which is not set"
    )


def test_without_a_control_plane_a_missing_package_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch, "mlflow")
    with pytest.raises(RkdError) as refused:
        own_addresses(parse_spec(job(trackers=[{"type": "tensorboard"}])), {})
    assert str(refused.value) == (
        "trackers.0.type: 'tensorboard' needs a package that is not installed: install "
        "rkd-online[tensorboard], or leave it out"
    )


def test_folders_of_one_name_are_two_runs_and_attempts_in_one_folder_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, "mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://a")
    spec = parse_spec(job(trackers=[MLFLOW]))
    here, there = RunFolder(tmp_path / "a" / "quick"), RunFolder(tmp_path / "b" / "quick")
    first, again, other = (
        without_control_plane(spec, folder, number).identity
        for folder, number in ((here, 1), (here, 2), (there, 1))
    )
    assert first == again != other
    assert here.tracked_as.read_text() == f"{first}\n"


def test_a_run_without_mlflow_needs_no_identity(tmp_path: Path) -> None:
    without_control_plane(parse_spec(job()), RunFolder(tmp_path / "quick"), 1)
    assert list(tmp_path.iterdir()) == []


def test_all_trackers_together_have_ten_seconds_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    class Slow:
        def __init__(self, *_: object) -> None: ...
        def report(self, report: object) -> None: ...
        def end(self, ending: object) -> None:
            assert getattr(ending, "outcome", None) is Outcome.FINISHED

        def wait(self, timeout: float) -> None:
            waits.append(timeout)
            clock[0] += 7

    clock = [0.0]
    monkeypatch.setattr(trackers, "TrackerSink", Slow)
    monkeypatch.setattr("rkd_online.run.trackers.time.monotonic", lambda: clock[0])
    two = attempt(tmp_path, {"type": "tensorboard"}, MLFLOW)
    trackers._end(
        [trackers._started(one, two, Told()) for one in two.spec.trackers],
        Ending(Outcome.FINISHED, ()),
    )
    assert waits == [10.0, 3.0]
