"""What is sent to MLflow, in what portions, and what a later attempt goes on with."""

import math
from pathlib import Path

import pytest

from rkd_online.metrics.trackers.backend import Ending, Outcome, Refused, Stamped, Unusable
from rkd_online.metrics.trackers.mlflow_run import MlflowRun, RunDescription, Value
from tests.unit.metrics.trackers.backends import KeptByServer, report


def described(parameters: int = 1, attempt: int = 1) -> RunDescription:
    return RunDescription(
        identity="job-1",
        experiment="sums",
        name="quick",
        tags={"rkd.attempt": str(attempt)},
        parameters={f"p{number}": "1" for number in range(parameters)},
    )


def started(server: KeptByServer, description: RunDescription) -> MlflowRun:
    run = MlflowRun("http://mlflow", description, lambda: server)
    run.start()
    return run


def test_a_run_is_made_and_described() -> None:
    server = KeptByServer()
    assert started(server, described(250)).name == "MLflow at http://mlflow"
    assert server.names == [("sums", "quick")]
    assert server.tags == {"rkd.attempt": "1"}
    assert [parameters for _, parameters in server.sizes] == [0, 100, 100, 50]
    assert (len(server.kept), server.statuses) == (250, ["RUNNING"])


def test_a_later_attempt_goes_on_in_the_same_run() -> None:
    server = KeptByServer()
    started(server, described(3)).end(Ending(Outcome.PAUSED, ()))
    started(server, described(4, attempt=2))
    assert server.names == [("sums", "quick")]
    assert (list(server.kept), server.tags) == (["p0", "p1", "p2", "p3"], {"rkd.attempt": "2"})
    assert server.statuses == ["RUNNING", "SCHEDULED", "RUNNING"]


def test_a_start_that_broke_off_is_done_again_in_the_same_run() -> None:
    server = KeptByServer()
    server.fails = ConnectionError("away")
    run = MlflowRun("http://mlflow", described(3), lambda: server)
    with pytest.raises(ConnectionError):
        run.start()
    run.start()
    assert (len(server.names), len(server.kept), server.statuses) == (1, 3, ["RUNNING"])


def test_a_start_that_is_refused_is_final() -> None:
    server = KeptByServer()
    server.fails = Refused("the experiment is deleted")
    with pytest.raises(Unusable, match="the experiment is deleted"):
        started(server, described())


def test_values_are_sent_with_step_and_time_without_what_is_not_finite() -> None:
    server = KeptByServer()
    metrics = {"reward/mean": 0.25, "idle/scorer_share/a+b": 0.5, "policy/loss": math.nan}
    started(server, described()).write([Stamped(12.3456, report(7, **metrics))])
    assert server.values == [
        Value("reward/mean", 0.25, 12346, 7),
        Value("idle/scorer_share/a_b", 0.5, 12346, 7),
        Value("timings/step", 0.5, 12346, 7),
        Value("staleness", 0.0, 12346, 7),
    ]


def test_a_call_has_a_thousand_values_at_the_most() -> None:
    server = KeptByServer()
    metrics = {f"m{number}": 1.0 for number in range(598)}
    reports = [Stamped(1.0, report(step, **metrics)) for step in (1, 2, 3)]
    started(server, described()).write(reports)
    assert [values for values, _ in server.sizes[2:]] == [1000, 800]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.FINISHED, "FINISHED"),
        (Outcome.FAILED, "FAILED"),
        (Outcome.CANCELLED, "KILLED"),
        (Outcome.PAUSED, "SCHEDULED"),
    ],
)
def test_the_status_says_how_an_attempt_ended(outcome: Outcome, status: str) -> None:
    server = KeptByServer()
    started(server, described()).end(Ending(outcome, ()))
    assert server.statuses == ["RUNNING", status]


def test_of_a_superseded_attempt_nothing_is_said() -> None:
    server = KeptByServer()
    started(server, described()).end(Ending(Outcome.SUPERSEDED, ()))
    assert server.statuses == ["RUNNING"]


def test_small_files_go_along_and_the_summary_is_the_description(tmp_path: Path) -> None:
    server = KeptByServer()
    (tmp_path / "report.json").write_text('{"summary": "0.2 to 0.4"}')
    (tmp_path / "report.png").write_bytes(b"." * (5 * 2**20 + 1))
    files = tuple(tmp_path / name for name in ("report.json", "report.png", "absent"))
    started(server, described()).end(Ending(Outcome.FINISHED, files))
    assert server.files == ["report.json"]
    assert server.tags["mlflow.note.content"] == "0.2 to 0.4"
