"""submit, watch, list, show, cancel, pause and resume: what they say, and how they end."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rkd_online.service.state import Status
from tests.unit.cli.answers import JOB, Answers, page, record, stream
from tests.unit.cli.conftest import Outcome, Rkd

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


@pytest.mark.parametrize(
    "command", ["watch", "show", "cancel", "pause", "resume", "events", "report", "trace"]
)
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
    assert more == "the newest 1; --limit shows up to 100, --all every one"


def test_cancel_says_where_the_job_stands(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {f"POST /v1/jobs/{JOB}/cancel": record("stopping")}
    assert rkd("cancel", JOB).out == f"{JOB} is stopping\n"


def test_a_submission_has_project_labels_priority_and_budget(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"POST /v1/jobs": record("queued")}
    options = ["--project", "research", "--label", "team=a", "--label", "run=", "--priority", "-3"]
    budget = ["--budget-wall", "1.5h", "--budget-tokens", "9", "--budget-gpu-hours", "0.5"]
    outcome = rkd("submit", QUICKSTART, *options, *budget, "--json")
    assert (outcome.code, json.loads(outcome.out)["id"]) == (0, JOB)
    sent = answers.body()
    assert (sent["name"], sent["project"], sent["priority"]) == ("quickstart", "research", -3)
    assert sent["labels"] == {"team": "a", "run": ""}
    assert sent["budget"] == {"wall_seconds": 5400.0, "tokens": 9, "gpu_hours": 0.5}


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--budget-wall", "long", "'long' is no time: write 90s, 15m, 8h or 30d"),
        ("--budget-wall", "0h", "'0h' is no time"),
        ("--budget-wall", "99999999999d", "wall_seconds is 8.64e+15: Input should be less than"),
        ("--budget-gpu-hours", "nan", "nan is no number that can be sent"),
        ("--budget-gpu-hours", "0", "'0' is no amount: write a number above 0"),
    ],
)
def test_options_that_say_nothing_are_refused(
    rkd: Rkd, monkeypatch: pytest.MonkeyPatch, option: str, value: str, words: str
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    outcome = rkd("submit", QUICKSTART, option, value)
    assert (outcome.code, words in outcome.err) == (2, True), outcome.err


VALIDATION = {
    "spec": {"steps": 60},
    "plan": "quickstart: rlad, 60 steps, seed 0",
    "cpus": 4,
    "gpus": 0,
    "verdict": {"fits": True, "detail": "needs 4 CPU; there is room for it now"},
}


def test_a_dry_run_queues_nothing_and_says_whether_the_job_fits(rkd: Rkd, answers: Answers) -> None:
    no = VALIDATION | {"verdict": {"fits": False, "detail": "needs 4 CPU, and there are 2"}}
    answers.by_path = {"POST /v1/jobs:validate": [VALIDATION, no]}
    outcome = rkd("submit", QUICKSTART, "--dry-run")
    assert (outcome.code, outcome.out.splitlines()) == (
        0,
        ["quickstart: rlad, 60 steps, seed 0", "needs 4 CPU; there is room for it now"],
    )
    outcome = rkd("submit", QUICKSTART, "--dry-run", "--json")
    assert (outcome.code, json.loads(outcome.out)["verdict"]["fits"]) == (1, False)
    assert [request.url.path for request in answers.asked] == ["/v1/jobs:validate"] * 2


def test_a_watched_submission_in_json_is_the_record_and_then_its_events(
    rkd: Rkd, answers: Answers
) -> None:
    answers.by_path = {
        "POST /v1/jobs": record("queued"),
        f"GET /v1/jobs/{JOB}": record("succeeded"),
        f"GET /v1/jobs/{JOB}/events/stream": stream(
            ("status", {"status": "running"}), ("finished", {}), end="succeeded"
        ),
    }
    outcome = rkd("submit", QUICKSTART, "--watch", "--json")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert (outcome.code, lines[0]["id"]) == (0, JOB)
    assert [line["type"] for line in lines[1:]] == ["status", "finished"]


def test_why_a_job_waits_and_pauses_is_said(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {
        f"GET /v1/jobs/{JOB}": record("succeeded"),
        f"GET /v1/jobs/{JOB}/events/stream": stream(
            ("waiting", {"reason": "waits for a place: 1 jobs run, and max_running_jobs is 1"}),
            ("waiting", {"reason": "Ray is not reachable at http://head:8265"}),
            ("change_asked", {"number": 1, "values": {"learning_rate": 1e-5}}),
            ("status", {"status": "pausing", "reason": "pause was asked for"}),
            ("paused", {"step": 7}),
            ("status", {"status": "paused"}),
            ("status", {"status": "queued", "reason": "resume was asked for"}),
            end="succeeded",
        ),
    }
    outcome = rkd("watch", JOB)
    assert (outcome.code, outcome.out.splitlines()[:-1]) == (
        0,
        [
            "waits for a place: 1 jobs run, and max_running_jobs is 1",
            "waits: Ray is not reachable at http://head:8265",
            "asked to go on with learning_rate 1e-05",
            "job is pausing: pause was asked for",
            "paused after step 7",
            "job is paused",
            "job is queued",
        ],
    )


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_watching_ends_where_the_job_is_paused_and_says_how_it_goes_on(
    rkd: Rkd, answers: Answers, as_json: list[str]
) -> None:
    budget = "its budget is spent: tokens 98,304 of 90,000"
    answers.by_path = {
        f"GET /v1/jobs/{JOB}": record("paused"),
        f"GET /v1/jobs/{JOB}/events/stream": stream(
            ("status", {"status": "pausing", "reason": budget}),
            ("status", {"status": "paused"}),
            ("status", {"status": "never seen"}),
            end="succeeded",
        ),
    }
    outcome = rkd("watch", JOB, *as_json)
    assert (outcome.code, outcome.err.splitlines()) == (
        3,
        [f"paused. Go on with it: rkd resume {JOB}", f"Watch it again: rkd watch {JOB}"],
    )
    assert len(outcome.out.splitlines()) == 2
    assert budget in outcome.out and "never seen" not in outcome.out


def test_the_list_is_asked_for_by_all_filters(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"GET /v1/jobs": page()}
    filters = ["--project", "research", "--status", "paused", "--status", "failed"]
    outcome = rkd("list", *filters, "--label", "team=a", "--since", "2026-03-01T00:00:00+00:00")
    assert answers.asked[0].url.params.multi_items() == [
        ("status", "paused"),
        ("status", "failed"),
        ("project", "research"),
        ("label", "team=a"),
        ("created_after", "2026-03-01T00:00:00+00:00"),
        ("limit", "20"),
    ]
    assert outcome.out.startswith("no job at http://127.0.0.1:8420 is paused or failed: ")
    assert rkd("list", "--label", "team=a").out.startswith(
        "no job at http://127.0.0.1:8420 is like"
    )


def test_since_may_be_a_time_ago(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"GET /v1/jobs": page()}
    rkd("list", "--since", "24h")
    asked = datetime.fromisoformat(answers.asked[0].url.params["created_after"])
    ago = datetime.now(UTC) - asked
    assert timedelta(hours=24) <= ago < timedelta(hours=24, minutes=5)


def test_all_jobs_are_one_list_whatever_the_pages(rkd: Rkd, answers: Answers) -> None:
    pages = [page(record("running"), more=True), page(record("paused", project="research"))]
    answers.by_path = {"GET /v1/jobs": [*pages, *pages]}
    found = json.loads(rkd("list", "--all", "--json").out)
    assert ([job["status"] for job in found["data"]], found["has_more"], found["next"]) == (
        ["running", "paused"],
        False,
        None,
    )
    head, first, second = rkd("list", "--all").out.splitlines()
    assert head.split() == ["job", "project", "name", "status", "step", "created"]
    assert (first.split()[1:4], second.split()[1:4]) == (
        ["default", "quickstart", "running"],
        ["research", "quickstart", "paused"],
    )
    assert dict(answers.asked[1].url.params) == {"limit": "100", "after": "x"}


def test_the_table_shows_every_status(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"GET /v1/jobs": page(*(record(status) for status in Status))}
    rows = rkd("list").out.splitlines()[1:]
    assert [row.split()[2] for row in rows] == list(Status)


def test_a_job_is_shown_with_what_is_known_of_it(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {
        f"GET /v1/jobs/{JOB}": record(
            "paused",
            step=24,
            labels={"team": "a", "run": "7"},
            budget={"tokens": 90000},
            spent={"wall_seconds": 41.5, "tokens": 98304, "gpu_hours": 1.5},
            attempt=2,
            losses=1,
        )
    }
    rows = [line.split(maxsplit=1) for line in rkd("show", JOB).out.splitlines()]
    shown = {name: value.strip() for name, value in rows}
    assert shown["status"] == "paused"
    assert shown["labels"] == "team=a run=7"
    assert shown["budget"] == "tokens 90,000"
    assert shown["spent"] == "42 s, 98,304 tokens, 1.50 GPU-hours"
    assert shown["step"].startswith("24 of 60, 2026-03-01")
    assert (shown["attempt"], shown["revision"]) == ("2, 1 lost", "1")
    assert {"error", "waiting", "finished", "checkpoint"} & set(shown) == set()
    assert json.loads(rkd("show", JOB, "--json").out)["labels"] == {"team": "a", "run": "7"}


def test_pause_and_resume_say_where_the_job_stands(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {
        f"POST /v1/jobs/{JOB}/pause": record("pausing"),
        f"POST /v1/jobs/{JOB}/resume": record("queued"),
    }
    assert rkd("pause", JOB).out == f"{JOB} is pausing\ngo on with it: rkd resume {JOB}\n"
    assert rkd("resume", JOB).out == f"{JOB} is queued\n"
    assert json.loads(rkd("pause", JOB, "--json").out)["status"] == "pausing"


def test_pause_and_cancel_wait_for_the_end_of_the_run(
    rkd: Rkd, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)

    def asked_twice(command: str, begun: str, *later: str) -> Outcome:
        answers.by_path = {
            f"POST /v1/jobs/{JOB}/{command}": record(begun),
            f"GET /v1/jobs/{JOB}": [record(status) for status in later],
        }
        waits.clear()
        return rkd(command, JOB, "--wait")

    paused = asked_twice("pause", "pausing", "pausing", "paused")
    assert (paused.code, paused.out) == (
        0,
        f"{JOB} is paused\ngo on with it: rkd resume {JOB}\n",
    )
    assert waits == [1.0, 1.0]
    # It came to its own end first: there is nothing to go on with.
    ended = asked_twice("pause", "pausing", "succeeded")
    assert (ended.code, ended.out) == (0, f"{JOB} is succeeded\n")
    failed = asked_twice("pause", "pausing", "failed")
    assert (failed.code, failed.out) == (1, f"{JOB} is failed\n")
    cancelled = asked_twice("cancel", "stopping", "stopping", "cancelled")
    assert (cancelled.code, cancelled.out) == (0, f"{JOB} is cancelled\n")
    assert waits == [1.0, 1.0]


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
