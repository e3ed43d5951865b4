import json
from pathlib import Path

import pytest

from rkd_online.metrics.sinks import JsonlSink, Sinks, read_reports
from rkd_online.types import StepReport


def write(path: Path, *steps: int, reward: float = 0.0) -> Path:
    sink = JsonlSink(path)
    for step in steps:
        sink.report(StepReport(step, step, 0, {"step": 0.5}, {"reward/mean": reward}))
    sink.close()
    return path


def test_each_step_is_one_line_that_is_there_at_once(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "attempts" / "1" / "metrics.jsonl")
    sink.report(StepReport(1, 1, 0, {"update": 0.1}, {"reward/mean": 1 / 3}))
    (line,) = (tmp_path / "attempts" / "1" / "metrics.jsonl").read_text().splitlines()
    sink.close()
    assert json.loads(line) == {
        "step": 1,
        "version": 1,
        "staleness": 0,
        "timings": {"update": 0.1},
        "metrics": {"reward/mean": 1 / 3},
    }


def test_a_step_that_was_done_again_counts_as_its_last_attempt_did_it(tmp_path: Path) -> None:
    first = write(tmp_path / "1.jsonl", 1, 2, 3, 4, reward=0.1)
    second = write(tmp_path / "2.jsonl", 3, 4, 5, reward=0.2)
    reports = read_reports([first, second])
    assert [(one.step, one.metrics["reward/mean"]) for one in reports] == [
        (1, 0.1), (2, 0.1), (3, 0.2), (4, 0.2), (5, 0.2),
    ]  # fmt: skip


def test_steps_beyond_the_point_of_resumption_no_longer_count(tmp_path: Path) -> None:
    reports = read_reports([write(tmp_path / "1", 1, 2, 3, 4), write(tmp_path / "2", 3)])
    assert [one.step for one in reports] == [1, 2, 3]


def test_half_a_line_and_an_attempt_without_a_step_are_passed_over(tmp_path: Path) -> None:
    killed = write(tmp_path / "1.jsonl", 1, 2)
    with killed.open("a") as file:
        file.write('{"step": 3, "vers')
    reports = read_reports([killed, tmp_path / "never-written.jsonl"])
    assert [one.step for one in reports] == [1, 2]


class Broken(JsonlSink):
    def report(self, report: StepReport) -> None:
        raise OSError("the disk is full")


def test_a_sink_that_fails_costs_neither_the_job_nor_the_next_sink(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = Broken(tmp_path / "broken.jsonl"), JsonlSink(tmp_path / "whole.jsonl")
    sinks = Sinks([broken, whole])
    sinks.report(StepReport(1, 1, 0, {}, {}))
    sinks.close()
    assert len((tmp_path / "whole.jsonl").read_text().splitlines()) == 1
    assert "Broken does not take a report" in caplog.text


def test_a_sink_that_goes_on_failing_is_logged_once_for_each_kind_of_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken, other = Broken(tmp_path / "broken.jsonl"), Broken(tmp_path / "other.jsonl")
    sinks = Sinks([broken, other])
    for step in range(1, 101):
        sinks.report(StepReport(step, step, 0, {}, {}))
    assert len(caplog.records) == 2
    broken.report = lambda report: 1 / 0  # type: ignore[assignment,method-assign]
    for step in range(101, 201):
        sinks.report(StepReport(step, step, 0, {}, {}))
    assert [record.getMessage().partition(" of it")[0] for record in caplog.records] == [
        "Broken does not take a report; the job goes on, and another OSError",
        "Broken does not take a report; the job goes on, and another OSError",
        "Broken does not take a report; the job goes on, and another ZeroDivisionError",
    ]
    sinks.close()
