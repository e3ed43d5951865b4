"""What each method sends, and what it makes of the answer."""

import inspect
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from rkd_online.client import AsyncClient, Client
from rkd_online.client.endpoints import Endpoints
from rkd_online.errors import ServiceError
from rkd_online.service.access.scope import Scope
from rkd_online.service.schemas.access import ProjectRecord, Quota
from rkd_online.service.schemas.job import Budget, JobRecord
from rkd_online.service.state import Status
from tests.unit.cli.answers import JOB, record
from tests.unit.client.both import Kind, answering, opened

ROOT = Path(__file__).resolve().parents[3]
SPEC = {"name": "quickstart", "steps": 60}
PROJECT = {
    "id": "research",
    "created_at": "2026-03-01T12:00:00Z",
    "revision": 4,
    "quota": {},
    "usage": {"active_jobs": 0, "queued_jobs": 0, "gpus": 0},
}
KEY: dict[str, Any] = {
    "id": "4n8q1zx70vbd",
    "name": "ada",
    "project": None,
    "scope": "viewer",
    "created_at": "2026-03-01T12:00:00Z",
    "created_by": None,
    "expires_at": None,
    "last_used_at": None,
    "revoked_at": None,
}
SECRET = f"rkd_{KEY['id']}_" + "7" * 52


class Echo:
    """Answers everything alike, and keeps what was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(200, json=self.answer)

    @property
    def body(self) -> Any:
        return json.loads(self.asked[-1].content)


def page(*records: Any, after: str | None = None) -> dict[str, Any]:
    return {"data": records, "has_more": after is not None, "next": after}


def job(**changes: Any) -> JobRecord:
    return JobRecord.model_validate(record("running", revision=7, **changes))


def test_a_submission_has_the_spec_and_beside_it_only_what_was_given(kind: Kind) -> None:
    echo = Echo(record("queued"))
    with answering(kind, echo, key="rkd_x") as client:
        client.submit(SPEC)
        assert echo.body == SPEC
        client.submit(
            SPEC,
            project="research",
            labels={"team": "a"},
            priority=-3,
            budget=Budget(tokens=5),
            idempotency_key="mine",
        )
    assert echo.body == SPEC | {
        "project": "research",
        "labels": {"team": "a"},
        "priority": -3,
        "budget": {"tokens": 5},
    }
    first, second = echo.asked
    assert first.headers["Authorization"] == "Bearer rkd_x"
    assert len(first.headers["Idempotency-Key"]) == 36
    assert second.headers["Idempotency-Key"] == "mine"


def test_every_change_has_a_key_of_its_own(kind: Kind) -> None:
    echo = Echo(record("paused"))
    with answering(kind, echo) as client:
        for method in (client.cancel, client.pause, client.resume):
            method(JOB)
    assert [request.url.path for request in echo.asked] == [
        f"/v1/jobs/{JOB}/{action}" for action in ("cancel", "pause", "resume")
    ]
    assert len({request.headers["Idempotency-Key"] for request in echo.asked}) == 3
    assert "If-Match" not in echo.asked[0].headers


def test_a_change_is_of_the_revision_that_was_read(kind: Kind) -> None:
    echo = Echo(record("running"))
    with answering(kind, echo) as client:
        client.change(job(), learning_rate=1e-5, labels={}, evaluation_every=0)
    assert (echo.asked[0].method, echo.asked[0].url.path) == ("PATCH", f"/v1/jobs/{JOB}")
    assert echo.asked[0].headers["If-Match"] == '"7"'
    assert echo.body == {"learning_rate": 1e-5, "labels": {}, "evaluation_every": 0}


def test_a_budget_is_left_set_or_taken_away(kind: Kind) -> None:
    echo = Echo(record("running"))
    with answering(kind, echo) as client:
        client.change(job(), priority=0)
        assert echo.body == {"priority": 0}
        client.change(job(), budget=None)
        assert echo.body == {"budget": None}
        client.change(job(), budget=Budget(wall_seconds=60))
        assert echo.body == {"budget": {"wall_seconds": 60}}


def test_an_action_can_be_bound_to_a_revision_too(kind: Kind) -> None:
    echo = Echo(record("stopping"))
    with answering(kind, echo) as client:
        client.cancel(JOB, revision=3)
    assert echo.asked[0].headers["If-Match"] == '"3"'


def test_a_list_is_asked_for_by_all_that_the_service_knows(kind: Kind) -> None:
    echo = Echo(page())
    with answering(kind, echo) as client:
        client.list()
        client.list(
            status=[Status.RUNNING, Status.PAUSED],
            project="research",
            labels={"team": "a", "run": "7"},
            created_after=datetime(2026, 3, 1, tzinfo=UTC),
            after="x",
            limit=5,
        )
    assert str(echo.asked[0].url) == "http://plane/v1/jobs?limit=20"
    assert echo.asked[1].url.params.multi_items() == [
        ("status", "running"),
        ("status", "paused"),
        ("project", "research"),
        ("label", "team=a"),
        ("label", "run=7"),
        ("created_after", "2026-03-01T00:00:00+00:00"),
        ("after", "x"),
        ("limit", "5"),
    ]


def test_all_pages_of_a_list_are_asked_for_as_they_are_needed(kind: Kind) -> None:
    pages = {None: page(1, 2, after="b"), "b": page(after="c"), "c": page(3)}
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        found = pages[request.url.params.get("after")]
        data = [{**KEY, "id": f"key-{number}"} for number in found["data"]]
        return httpx.Response(200, json={**found, "data": data})

    with answering(kind, answer) as client:
        keys = client.all_keys(project="research", limit=2)
        assert (next(keys).id, len(asked)) == ("key-1", 1)
        assert [key.id for key in keys] == ["key-2", "key-3"]
    assert asked == [
        {"project": "research", "limit": "2"},
        {"project": "research", "limit": "2", "after": "b"},
        {"project": "research", "limit": "2", "after": "c"},
    ]


@pytest.mark.parametrize("name", ["../projects", "a/b", "a?b=c#d"])
def test_a_name_is_one_part_of_the_path_whatever_it_holds(kind: Kind, name: str) -> None:
    echo = Echo(record("queued"))
    with answering(kind, echo) as client:
        client.get(name)
    assert echo.asked[0].url.raw_path.count(b"/") == 3
    assert echo.asked[0].url.query == b""


def test_a_quota_is_set_whole_for_the_revision_that_was_read(kind: Kind) -> None:
    echo = Echo(PROJECT)
    with answering(kind, echo) as client:
        client.set_quota(ProjectRecord.model_validate(PROJECT), Quota(max_active_jobs=2))
    assert echo.asked[0].headers["If-Match"] == '"4"'
    assert echo.body == {"quota": {"max_active_jobs": 2, "max_queued_jobs": None, "max_gpus": None}}


def test_a_key_is_made_for_a_project_and_a_time(kind: Kind) -> None:
    echo = Echo(KEY | {"key": SECRET})
    with answering(kind, echo) as client:
        made = client.make_key(
            "ada", Scope.VIEWER, project="research", expires_at=datetime(2026, 9, 1, tzinfo=UTC)
        )
    assert made.key == SECRET
    assert echo.body == {
        "name": "ada",
        "scope": "viewer",
        "project": "research",
        "expires_at": "2026-09-01T00:00:00+00:00",
    }


def test_a_secret_that_was_lost_on_its_way_is_no_key(kind: Kind) -> None:
    with answering(kind, Echo(KEY | {"key": "shown once"})) as client:
        lost = r"was lost: `rkd keys rotate 4n8q1zx70vbd`"
        with pytest.raises(ServiceError, match=lost):
            client.make_key("ada", Scope.VIEWER)
        with pytest.raises(ServiceError, match=lost):
            client.rotate_key("x")


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("http://head:port", "", "'http://head:port' is no address: "),
        ("http://plane", "rkd_ü", "the API key has ch"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(kind: Kind, url: str, key: str, words: str) -> None:
    with pytest.raises(ServiceError, match="^" + re.escape(words)), opened(kind, url, key):
        pass


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    names = {name for name in dir(Client) if not name.startswith("_")}
    assert names == {name for name in dir(AsyncClient) if not name.startswith("_")}
    own = names - set(vars(Endpoints))
    assert own == {"close", "stream"}
    for name in own:
        one, other = getattr(Client, name), getattr(AsyncClient, name)
        assert list(inspect.signature(one).parameters) == list(inspect.signature(other).parameters)


def test_every_method_says_what_it_is_for() -> None:
    methods = {name: one for name, one in vars(Endpoints).items() if not name.startswith("_")}
    assert len(methods) >= 30
    with Client() as client:
        for name in methods:
            assert getattr(client, name).__doc__, name


def test_the_client_imports_no_database_and_no_web_package() -> None:
    code = (
        "import sys, rkd_online.client\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    assert {"httpx", "pydantic"} <= set(found)
    refused = {"aiosqlite", "alembic", "asyncpg", "fastapi", "limits", "sqlalchemy", "starlette"}
    refused |= {"sse_starlette", "typer", "uvicorn", "numpy", "torch"}
    assert set(found) & refused == set()
