"""rkd events: pages, all of them, and as they come."""

import json

from tests.unit.cli.answers import JOB, Answers, stream
from tests.unit.cli.conftest import Rkd

PATH = f"GET /v1/jobs/{JOB}/events"


def event(number: int, kind: str, **data: object) -> dict[str, object]:
    at = f"2026-03-01T12:00:{number:02}Z"
    return {"number": number, "at": at, "type": kind, "attempt": 1, "data": data}


STEP = event(2, "step", step=1, metrics={"reward/mean": 0.25}, timings={"step": 1.5})
LOST = event(3, "attempt_lost", cause="its run is failed", log="", losses=1, most=3)
EVALUATION = event(4, "evaluation", step=10)


def test_events_are_told_in_words(rkd: Rkd, answers: Answers) -> None:
    data = [event(1, "status", status="queued"), STEP, LOST, EVALUATION]
    answers.by_path = {PATH: {"data": data, "has_more": True, "next": "4"}}
    outcome = rkd("events", JOB, "--limit", "4")
    head, *rows = outcome.out.splitlines()
    assert head.split() == ["number", "at", "attempt", "event"]
    assert [row.split(maxsplit=4)[4].strip() for row in rows] == [
        "job is queued",
        "step 1, reward 0.250 in 1.50 s",
        "attempt lost: its run is failed",
        'evaluation {"step": 10}',
    ]
    assert outcome.err == "there are more: --after 4 shows them, --all every one\n"


def test_all_events_are_one_document(rkd: Rkd, answers: Answers) -> None:
    pages = [{"data": [STEP], "has_more": True, "next": "2"}]
    pages.append({"data": [LOST], "has_more": False, "next": None})
    answers.by_path = {PATH: pages}
    found = json.loads(rkd("events", JOB, "--all", "--after", "1", "--json").out)
    assert [one["number"] for one in found["data"]] == [2, 3]
    assert [request.url.params["after"] for request in answers.asked] == ["1", "2"]


def test_followed_events_are_lines_until_the_job_ends(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {
        f"{PATH}/stream": stream(("log", {"message": "[one]"}), ("finished", {}), end="succeeded")
    }
    shown = rkd("events", JOB, "--follow", "--after", "7").out.splitlines()
    assert [line.split("  ")[-1] for line in shown] == ["[one]", "finished: "]
    assert answers.asked[0].headers["Last-Event-ID"] == "7"
    lines = rkd("events", JOB, "-f", "--json").out.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["log", "finished"]
