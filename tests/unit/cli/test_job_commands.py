"""submit, watch, list and cancel: what they say, and how they end."""

from pathlib import Path

import pytest

from tests.unit.cli.answers import JOB, Answers, page, record, stream
from tests.unit.cli.conftest import Rkd

ROOT = Path(__file__).resolve().parents[3]
QUICKSTART = str(ROOT / "examples" / "quickstart.yaml")
ELSEWHERE = ("--url", "http://head:9000")


def test_without_a_control_plane_its_address_and_rkd_serve_are_named_in_one_line(rkd: Rkd) -> None:
    outcome = rkd("list", "--url", "http://127.0.0.1:9")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert outcome.err.startswith("error: no control plane answers at http://127.0.0.1:9 (")
    assert "start one with `rkd serve`" in outcome.err


def test_an_address_without_http_is_refused(rkd: Rkd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    outcome = rkd("list", "--url", "localhost:8420")
    assert outcome.code == 2
    assert "'localhost:8420' is no address" in outcome.err


def test_submit_says_how_to_follow_the_job(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"POST /v1/jobs": record("queued")}
    assert rkd("submit", QUICKSTART).out == (
        f"submitted {JOB} (quickstart)\nfollow it with: rkd watch {JOB}\n"
    )
    assert rkd("submit", QUICKSTART, *ELSEWHERE).out.splitlines()[1] == (
        f"follow it with: rkd watch {JOB} --url http://head:9000"
    )


def test_the_hint_names_no_address_that_the_environment_gives(
    rkd: Rkd, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKD_URL", "http://head:9000")
    answers.by_path = {"POST /v1/jobs": record("queued")}
    assert rkd("submit", QUICKSTART).out.splitlines()[1] == f"follow it with: rkd watch {JOB}"
    assert str(answers.asked[0].url) == "http://head:9000/v1/jobs"


def test_watching_a_job_to_its_good_end_names_its_report(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {
        f"GET /v1/jobs/{JOB}": record("succeeded"),
        f"GET /v1/jobs/{JOB}/events/stream": stream(
            ("status", {"status": "running"}),
            ("log", {"message": "measuring the teacher"}),
            ("finished", {"summary": "The student improved"}),
            end="succeeded",
        ),
    }
    outcome = rkd("watch", JOB)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "job is running",
        "measuring the teacher",
        "finished: The student improved",
        f"succeeded; what it gained: rkd report {JOB}",
    ]


def test_watching_a_job_to_its_bad_end_exits_with_1_and_says_why(
    rkd: Rkd, answers: Answers
) -> None:
    cause = "Ray is not reachable at http://127.0.0.1:8265 (ConnectError: refused): start it"
    answers.by_path = {
        f"GET /v1/jobs/{JOB}": record("failed", error=f"{cause} [tried for 120 s]"),
        f"GET /v1/jobs/{JOB}/events/stream": stream(
            ("launch_delayed", {"cause": cause}), ("status", {"status": "failed"}), end="failed"
        ),
    }
    outcome = rkd("watch", JOB)
    assert (outcome.code, outcome.err) == (1, f"failed: {cause} [tried for 120 s]\n")
    assert outcome.out.splitlines() == [f"launch delayed: {cause}", "job is failed"]


@pytest.mark.parametrize("command", [["watch", JOB], ["submit", QUICKSTART, "--watch"]])
def test_ctrl_c_ends_the_watching_and_not_the_job(
    rkd: Rkd, answers: Answers, command: list[str]
) -> None:
    answers.by_path = {
        "POST /v1/jobs": record("queued"),
        f"GET /v1/jobs/{JOB}": record("running"),
        f"GET /v1/jobs/{JOB}/events/stream": KeyboardInterrupt(),
    }
    outcome = rkd(*command)
    assert (outcome.code, outcome.err) == (
        130,
        f"{JOB} goes on. Watch it again: rkd watch {JOB}\nStop it: rkd cancel {JOB}\n",
    )
    assert [request.method for request in answers.asked if "cancel" in request.url.path] == []


@pytest.mark.parametrize("command", ["watch", "cancel", "report", "trace"])
def test_an_unknown_job_is_answered_with_where_the_known_ones_are_listed(
    rkd: Rkd, answers: Answers, command: str
) -> None:
    outcome = rkd(command, "job-1", *ELSEWHERE)
    assert (outcome.code, outcome.err) == (
        1,
        "error: there is no job 'job-1' at http://head:9000: `rkd list --url http://head:9000` "
        "shows those that there are\n",
    )


def test_an_empty_list_says_what_to_type(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"GET /v1/jobs": page()}
    assert rkd("list").out == (
        "there are no jobs yet at http://127.0.0.1:8420: submit one with `rkd submit SPEC`\n"
    )
    assert rkd("list", "--status", "running").out == (
        "no job at http://127.0.0.1:8420 is running: submit one with `rkd submit SPEC`\n"
    )
    assert dict(answers.asked[1].url.params) == {"status": "running", "limit": "20"}


def test_the_list_says_when_there_are_more(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"GET /v1/jobs": page(record("running", step=7), more=True)}
    head, row, more = rkd("list", "--limit", "1").out.splitlines()
    assert head.split() == ["job", "name", "status", "step", "created"]
    assert row.split()[:4] == [JOB, "quickstart", "running", "7/60"]
    assert more == "the newest 1; --limit shows up to 100"


def test_cancel_says_where_the_job_stands(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {f"POST /v1/jobs/{JOB}/cancel": record("stopping")}
    assert rkd("cancel", JOB).out == f"{JOB} is stopping\n"


def test_a_broken_spec_is_told_with_all_its_problems_a_line_each(rkd: Rkd, tmp_path: Path) -> None:
    spec = tmp_path / "broken.yaml"
    spec.write_text(
        "version: 1\nname: quick\npolicy: {model: zoo:chain-sum/student}\n"
        "task: {type: chain_sm}\nalgorithm: {type: rlad}\nrollout: {group_size: 1}\nsteps: 0\n"
    )
    outcome = rkd("validate", str(spec))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines() == [
        "error: task.type: found 'chain_sm', should be 'chain_sum', 'reasoning_gym', 'file', "
        "'mixture'; did you mean 'chain_sum'?",
        "rollout.group_size: found 1, should be greater than or equal to 2",
        "steps: found 0, should be greater than 0",
    ]


def test_a_valid_spec_is_told_as_its_plan(rkd: Rkd) -> None:
    outcome = rkd("validate", QUICKSTART)
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == "quickstart: rlad, 60 steps, seed 0"
