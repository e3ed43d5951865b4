"""rkd report: what a finished job gained, and what to do about one that is not."""

import json
from pathlib import Path

from tests.unit.cli.answers import JOB, Answers, record
from tests.unit.cli.conftest import Rkd
from tests.unit.evaluation.sample_report import report

REPORT = json.loads(report().model_dump_json())


def test_a_job_that_runs_is_answered_with_how_to_follow_it(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {f"GET /v1/jobs/{JOB}": record("running", step=7)}
    outcome = rkd("report", JOB)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        f"error: {JOB} is running, step 7 of 60, and has no report yet: follow it with "
        f"`rkd watch {JOB}`\n"
    )


def test_a_job_that_failed_is_answered_with_why(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {f"GET /v1/jobs/{JOB}": record("failed", error="the loss of step 3 is nan")}
    assert rkd("report", JOB).err == (
        f"error: {JOB} is failed and has no report: the loss of step 3 is nan\n"
    )


def finished(answers: Answers, folder: Path) -> None:
    links = record("succeeded")["links"] | {"data": str(folder)}
    answers.by_path = {
        f"GET /v1/jobs/{JOB}": record("succeeded", links=links),
        f"GET /v1/jobs/{JOB}/report": REPORT,
        f"GET /v1/jobs/{JOB}/report.png": b"\x89PNG",
    }


def test_the_plot_goes_into_the_file_that_is_named(
    rkd: Rkd, answers: Answers, tmp_path: Path
) -> None:
    finished(answers, tmp_path)
    target = tmp_path / "gain.png"
    outcome = rkd("report", JOB, "--png", str(target))
    assert (outcome.code, target.read_bytes()) == (0, b"\x89PNG")
    assert outcome.out.endswith(f"plot: {target}\n")


def test_a_plot_that_cannot_be_written_is_an_error(
    rkd: Rkd, answers: Answers, tmp_path: Path
) -> None:
    finished(answers, tmp_path)
    target = tmp_path / "none" / "gain.png"
    outcome = rkd("report", JOB, "--png", str(target))
    assert (outcome.code, outcome.err) == (
        1,
        f"error: --png {target} cannot be written: No such file or directory\n",
    )


def test_json_is_the_report_alone_however_it_is_drawn(
    rkd: Rkd, answers: Answers, tmp_path: Path
) -> None:
    finished(answers, tmp_path)
    outcome = rkd("report", JOB, "--json", "--png", str(tmp_path / "gain.png"))
    assert json.loads(outcome.out) == REPORT


def test_a_folder_without_the_run_is_named(rkd: Rkd, tmp_path: Path) -> None:
    outcome = rkd("report", "quickstart", "--folder", str(tmp_path))
    assert (outcome.code, outcome.err) == (
        1,
        f"error: there is no {tmp_path}/runs/quickstart/report.json: the run has not ended, or "
        "its records lie in another --folder\n",
    )


def test_a_report_of_another_version_is_told_apart(
    rkd: Rkd, answers: Answers, tmp_path: Path
) -> None:
    finished(answers, tmp_path)
    older = {key: value for key, value in REPORT.items() if key != "decodings"}
    answers.by_path[f"GET /v1/jobs/{JOB}/report"] = older
    outcome = rkd("report", JOB)
    assert outcome.code == 1
    assert outcome.err.startswith(f"error: the report of {JOB} cannot be shown")
