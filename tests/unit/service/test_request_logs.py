"""What the log says of requests and of jobs, and the ids by which its records belong together."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rkd_online.service.settings import Settings
from tests.unit.service.logged import Logged, logged
from tests.unit.service.plane import Plane, first_key

pytestmark = pytest.mark.asyncio


@pytest.fixture
def log(settings: Settings) -> Iterator[Logged]:
    with logged(settings) as log:
        yield log


def key_id(settings: Settings) -> str:
    return first_key(settings).split("_")[1]


def told(record: dict[str, Any]) -> dict[str, Any]:
    """What is told of a request, without what differs from run to run."""
    assert record["seconds"] >= 0
    return {
        name: value
        for name, value in record.items()
        if name not in ("time", "logger", "seconds", "request_id")
    }


async def test_a_request_is_one_line_with_its_route_and_never_its_path(
    plane: Plane, log: Logged, settings: Settings
) -> None:
    job_id = await plane.submit()
    await plane.job(job_id)
    await plane.http.get("/v1/jobs/job-none?token=abcdef")
    await plane.http.get("/secret/path")
    common = {"level": "info", "event": "request"}
    ours = {**common, "key_id": key_id(settings)}
    of_job = {**ours, "job_id": job_id, "project": "default"}
    assert [told(record) for record in log.records()] == [
        {**of_job, "method": "POST", "route": "/v1/jobs", "status": 201},
        {**of_job, "method": "GET", "route": "/v1/jobs/{job_id}", "status": 200},
        {**ours, "method": "GET", "route": "/v1/jobs/{job_id}", "status": 404},
        {**common, "method": "GET", "route": "none", "status": 404},
    ]
    for words in ("job-none", "abcdef", "/secret", first_key(settings)):
        assert words not in log.text


async def test_a_report_of_a_run_names_its_attempt_and_no_key(plane: Plane, log: Logged) -> None:
    launch = await plane.running()
    assert told(log.records()[-1]) == {
        "level": "info",
        "event": "request",
        "job_id": launch.job_id,
        "attempt": 1,
        "project": "default",
        "method": "POST",
        "route": "/v1/internal/jobs/{job_id}/attempts/{number}/events",
        "status": 200,
    }
    assert launch.token not in log.text


async def test_probes_and_scrapes_have_a_line_when_they_fail_alone(
    plane: Plane, log: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert (await plane.http.get(path)).status_code == 200
    assert log.records() == []
    plane.clock.pass_by(301)
    await plane.http.get("/readyz")
    [line] = log.records()
    assert (line["level"], line["route"], line["status"]) == ("warning", "/readyz", 503)


async def test_at_level_debug_probes_have_a_line_too(plane: Plane, settings: Settings) -> None:
    with logged(settings, logging.DEBUG) as log:
        await plane.http.get("/livez")
    [line] = log.records("request")
    assert (line["level"], line["route"], line["status"]) == ("debug", "/livez", 200)


async def test_a_stream_has_a_line_where_it_begins_and_where_it_ends(
    plane: Plane, log: Logged, settings: Settings
) -> None:
    launch = await plane.running()
    path = f"/v1/jobs/{launch.job_id}/events/stream"
    reading = asyncio.create_task(plane.http.get(path, headers={"X-Request-ID": "reader"}))
    while not log.records("event stream begins"):
        await asyncio.sleep(0.01)
    assert log.records("event stream ends") == []
    await plane.send(launch, {"number": 2, "type": "finished"})
    await reading
    lines = [record for record in log.records() if record["request_id"] == "reader"]
    assert [line["event"] for line in lines] == ["event stream begins", "event stream ends"]
    for line in lines:
        assert (line["key_id"], line["job_id"]) == (key_id(settings), launch.job_id)
        assert (line["route"], line["status"]) == ("/v1/jobs/{job_id}/events/stream", 200)
    assert lines[0]["seconds"] <= lines[1]["seconds"]


async def test_a_callers_request_id_is_taken_over_everywhere(plane: Plane, log: Logged) -> None:
    mine = "trace/42:a.b-c_D~!" + 46 * "x"
    assert len(mine) == 64
    answer = await plane.http.get("/v1/jobs/job-none", headers={"X-Request-ID": mine})
    assert answer.headers["X-Request-ID"] == mine
    assert answer.json()["request_id"] == mine
    assert log.records()[-1]["request_id"] == mine
    job_id = await plane.submit()
    await plane.http.post(f"/v1/jobs/{job_id}/cancel", headers={"X-Request-ID": mine})
    [entry] = (await plane.http.get("/v1/audit?limit=1")).json()["data"]
    assert (entry["action"], entry["request_id"]) == ("job.cancel", mine)


@pytest.mark.parametrize(
    "given",
    [[""], [65 * "x"], ["a b"], ["é"], ["a\tb"], ["a\x7fb"], ["one", "two"]],
    ids=["empty", "long", "blank", "not ascii", "tab", "delete", "two"],
)
async def test_a_request_id_that_is_not_sane_is_replaced(plane: Plane, given: list[str]) -> None:
    headers = [("X-Request-ID", one.encode("latin-1")) for one in given]
    request = plane.http.build_request("GET", "/livez")
    request.headers = httpx.Headers([*request.headers.raw, *((n.encode(), v) for n, v in headers)])
    answer = await plane.http.send(request)
    made = answer.headers["X-Request-ID"]
    assert made.startswith("req-") and len(made) == 20


async def test_requests_at_the_same_time_keep_their_ids_apart(plane: Plane, log: Logged) -> None:
    made = [await plane.submit() for _ in range(20)]
    asked = [
        plane.http.get(f"/v1/jobs/{job_id}", headers={"X-Request-ID": f"for-{job_id}"})
        for job_id in made
    ]
    await asyncio.gather(*asked)
    lines = [record for record in log.records() if record["request_id"].startswith("for-")]
    assert {line["request_id"]: line["job_id"] for line in lines} == {
        f"for-{job_id}": job_id for job_id in made
    }


async def test_the_log_of_an_error_has_its_traceback_under_the_requests_id(
    plane: Plane, log: Logged, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    async def broken(*given: object) -> None:
        raise RuntimeError(f"with the key {first_key(settings)}")

    monkeypatch.setattr("rkd_online.service.store.jobs.find", broken)
    with pytest.raises(RuntimeError):
        await plane.http.get("/v1/jobs/job-1", headers={"X-Request-ID": "mine"})
    access, error = log.records()
    assert (access["level"], access["status"], access["request_id"]) == ("warning", 500, "mine")
    assert (error["level"], error["event"]) == ("error", "request mine failed")
    assert (error["request_id"], error["key_id"]) == ("mine", key_id(settings))
    assert error["exception"].endswith(f"RuntimeError: with the key rkd_{key_id(settings)}_***")
    assert first_key(settings) not in log.text


async def test_what_the_reconciler_says_of_an_attempt_names_it(
    plane: Plane, log: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = await plane.running()

    async def broken(*given: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(plane.launcher, "status", broken)
    await plane.reconcile()
    error = log.records()[-1]
    assert error["event"] == f"could not look after attempt 1 of {launch.job_id}"
    assert (error["job_id"], error["attempt"], error["project"]) == (launch.job_id, 1, "default")
    assert error["exception"].endswith("RuntimeError: a bug")
