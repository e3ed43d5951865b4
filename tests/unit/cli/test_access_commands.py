"""keys, projects, audit and health: what they send and show."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rkd_online.service.access.keys import key_id
from tests.unit.cli.answers import Answers, problem
from tests.unit.cli.conftest import Rkd

KEY: dict[str, Any] = {
    "id": "4n8q1zx70vbd",
    "name": "Ada [laptop]",
    "project": "research",
    "scope": "submitter",
    "created_at": "2026-03-01T12:00:00Z",
    "created_by": "0c2wd9k5tm3h",
    "expires_at": None,
    "last_used_at": None,
    "revoked_at": None,
}
SECRET = f"rkd_{KEY['id']}_" + "7" * 52
PROJECT: dict[str, Any] = {
    "id": "research",
    "created_at": "2026-03-01T12:00:00Z",
    "revision": 4,
    "quota": {"max_active_jobs": 2, "max_queued_jobs": None, "max_gpus": 16},
    "usage": {"active_jobs": 1, "queued_jobs": 3, "gpus": 8},
}


def listed(*records: Any) -> Any:
    return {"data": records, "has_more": False, "next": None}


def test_a_new_key_stands_alone_on_standard_output(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"POST /v1/api-keys": KEY | {"key": SECRET}}
    outcome = rkd("keys", "make", "Ada [laptop]", "--project", "research")
    assert (outcome.code, outcome.out) == (0, f"{SECRET}\n")
    assert outcome.err == (
        "made key 4n8q1zx70vbd (Ada [laptop]): submitter of the project research; it is shown this "
        "once\n"
    )
    assert answers.body() == {"name": "Ada [laptop]", "scope": "submitter", "project": "research"}


def test_a_first_key_is_made_without_asking_anybody(rkd: Rkd, answers: Answers) -> None:
    first, second = (rkd("keys", "make-first") for _ in range(2))
    assert (first.code, first.err, answers.asked) == (0, "", [])
    assert key_id(first.out.removesuffix("\n")) is not None
    assert first.out != second.out
    found = json.loads(rkd("keys", "make-first", "--json").out)
    assert key_id(found["key"]) == found["id"]


def test_a_key_can_end_by_itself(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"POST /v1/api-keys": KEY | {"key": SECRET}}
    found = json.loads(rkd("keys", "make", "x", "--expires", "90d", "--json").out)
    assert found["key"] == SECRET
    left = datetime.fromisoformat(answers.body()["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89, hours=23) < left <= timedelta(days=90)
    rkd("keys", "make", "x", "--expires", "2027-01-01T00:00:00+00:00", "--scope", "admin")
    assert answers.body()["expires_at"] == "2027-01-01T00:00:00+00:00"
    assert answers.body()["scope"] == "admin"


def test_keys_are_listed_with_what_they_are_good_for(rkd: Rkd, answers: Answers) -> None:
    old = KEY | {"id": "old", "expires_at": "2026-01-01T00:00:00Z", "project": None}
    ended = KEY | {"id": "ended", "revoked_at": "2026-03-02T12:00:00Z"}
    answers.by_path = {"GET /v1/api-keys": listed(KEY, old, ended)}
    head, *rows = rkd("keys", "list", "--project", "research").out.splitlines()
    assert head.split() == ["key", "name", "project", "scope", "made", "used", "state"]
    assert [(row.split()[0], row.split()[3]) for row in rows] == [
        ("4n8q1zx70vbd", "research"),
        ("old", "all"),
        ("ended", "research"),
    ]
    assert rows[0].rstrip().endswith("never  good")
    assert "expired 2026-01-01" in rows[1] and "revoked 2026-03-02" in rows[2]
    assert dict(answers.asked[0].url.params) == {"project": "research", "limit": "100"}
    assert len(json.loads(rkd("keys", "list", "--json").out)["data"]) == 3


def test_keys_are_shown_rotated_and_revoked(rkd: Rkd, answers: Answers) -> None:
    place = f"/v1/api-keys/{KEY['id']}"
    answers.by_path = {
        f"GET {place}": KEY,
        f"POST {place}/rotate": KEY | {"key": SECRET},
        f"DELETE {place}": KEY | {"revoked_at": "2026-03-02T12:00:00Z"},
    }
    assert rkd("keys", "show", KEY["id"]).out.splitlines()[1].split(maxsplit=1) == [
        "name",
        "Ada [laptop]",
    ]
    assert rkd("keys", "rotate", KEY["id"]).out == f"{SECRET}\n"
    assert rkd("keys", "revoke", KEY["id"]).out == "key 4n8q1zx70vbd (Ada [laptop]) is revoked\n"


def test_a_key_that_is_not_there_says_where_keys_are_listed(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"GET /v1/api-keys/x": problem(404, "key_not_found", "there is no key 'x'")}
    assert rkd("keys", "show", "x").err == (
        "error: there is no key 'x' at http://127.0.0.1:8420: `rkd keys list` shows those that "
        "there are\n"
    )


def test_a_project_is_made_with_limits(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"POST /v1/projects": PROJECT}
    outcome = rkd("projects", "make", "research", "--max-active-jobs", "2", "--max-gpus", "16")
    assert answers.body() == {
        "id": "research",
        "quota": {"max_active_jobs": 2, "max_queued_jobs": None, "max_gpus": 16.0},
    }
    rows = [line.split(maxsplit=1) for line in outcome.out.splitlines()]
    assert rows[0] == ["project", "research"]
    assert "GPUs         8 of 16" in outcome.out and "queued jobs  3" in outcome.out


def test_projects_are_listed_with_what_they_use(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {"GET /v1/projects": listed(PROJECT), "GET /v1/projects/research": PROJECT}
    row = rkd("projects", "list").out.splitlines()[1]
    assert row.split()[:8] == ["research", "1", "of", "2", "3", "8", "of", "16"]
    assert json.loads(rkd("projects", "show", "research", "--json").out)["revision"] == 4


def test_a_quota_keeps_what_is_not_named_and_loses_what_is_none(rkd: Rkd, answers: Answers) -> None:
    place = "/v1/projects/research"
    answers.by_path = {f"GET {place}": PROJECT, f"PATCH {place}": PROJECT}
    rkd("projects", "quota", "research", "--max-active-jobs", "none", "--max-queued-jobs", "5")
    assert answers.asked[1].headers["If-Match"] == '"4"'
    assert answers.body() == {
        "quota": {"max_active_jobs": None, "max_queued_jobs": 5, "max_gpus": 16.0}
    }


def test_a_quota_beside_another_change_says_to_look_again(rkd: Rkd, answers: Answers) -> None:
    place = "/v1/projects/research"
    refusal = problem(412, "revision_changed", "read it again")
    answers.by_path = {f"GET {place}": PROJECT, f"PATCH {place}": refusal}
    assert rkd("projects", "quota", "research", "--max-gpus", "1").err == (
        "error: the project research was changed by somebody else meanwhile, so nothing of this "
        "is: look again with `rkd projects show research`\n"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "nothing is changed: --help shows the limits"),
        (["--max-gpus", "-1"], "'-1' is no limit: write a number from 0, or none"),
        (["--max-gpus", "2000000"], "max_gpus is 2e+06: Input should be less than or equal to"),
        (["--max-gpus", "many"], "'many' is no limit"),
        (["--max-active-jobs", "1.5"], "'1.5' is no number of jobs: write 0, 1, 2, ..., or none"),
    ],
)
def test_limits_that_say_nothing_are_refused(
    rkd: Rkd, answers: Answers, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    answers.by_path = {"GET /v1/projects/research": PROJECT}
    outcome = rkd("projects", "quota", "research", *options)
    assert (outcome.code, words in outcome.err) == (2, True), outcome.err
    assert [request.method for request in answers.asked if request.method != "GET"] == []


def test_the_audit_shows_who_did_what(rkd: Rkd, answers: Answers) -> None:
    entry = {
        "number": 17,
        "at": "2026-03-01T12:30:00Z",
        "actor": KEY["id"],
        "project": "research",
        "action": "job.change",
        "target": "job-1",
        "address": "10.0.0.7",
        "request_id": "req-1",
        "data": {"learning_rate": 1e-05},
    }
    more = {"data": [entry], "has_more": True, "next": "17"}
    answers.by_path = {"GET /v1/audit": [more, more, listed(entry | {"number": 16})]}
    outcome = rkd("audit", "--project", "research", "--limit", "1")
    head, row = outcome.out.splitlines()
    assert head.split() == ["number", "at", "key", "action", "target", "project", "from", "more"]
    assert row.split()[3:] == [
        *(KEY["id"], "job.change", "job-1", "research", "10.0.0.7"),
        *('{"learning_rate":', "1e-05}"),
    ]
    assert outcome.err == "the newest 1; --limit shows up to 1000, --all every one\n"
    found = json.loads(rkd("audit", "--all", "--json").out)
    assert [one["number"] for one in found["data"]] == [17, 16]


def test_health_says_the_version_or_what_is_wrong(rkd: Rkd, answers: Answers) -> None:
    good = {"status": "ok", "version": "0.1.0"}
    answers.by_path = {"GET /livez": good, "GET /readyz": good}
    assert rkd("health").out == "http://127.0.0.1:8420 is ready, version 0.1.0\n"
    assert json.loads(rkd("health", "--json").out) == good
    answers.by_path["GET /readyz"] = problem(503, "database_away", "the database does not answer")
    outcome = rkd("health")
    assert (outcome.code, outcome.err) == (
        1,
        "error: the database does not answer (database_away), request req-1\n",
    )
