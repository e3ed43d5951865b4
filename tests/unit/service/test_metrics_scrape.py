"""GET /metrics: what was counted, and how the jobs stand."""

import asyncio
import platform
from typing import Any

import httpx
import pytest

from rkd_online import __version__
from rkd_online.service.launchers.base import LauncherUnavailable, RunState
from rkd_online.service.launchers.room import Node
from rkd_online.service.outcomes import LossCause, Outcome
from rkd_online.service.run_events import EVENT_TYPES
from rkd_online.service.state import Status
from rkd_online.service.telemetry.catalogue import SERIES
from rkd_online.service.telemetry.exposition import MEDIA_TYPE
from tests.unit.service.plane import Plane
from tests.unit.service.scraping import scrape

pytestmark = pytest.mark.asyncio

STEP: dict[str, Any] = {"step": 1, "version": 1, "staleness": 0, "timings": {}, "metrics": {}}


async def run_a_step(plane: Plane) -> None:
    """The first run starts and reports after 15 and after 20 seconds; then 12 pass."""
    await plane.reconcile()
    launch = plane.launcher.launches[-1]
    await plane.send(launch, {"number": 1, "type": "started"})
    plane.clock.pass_by(15)
    await plane.send(launch)
    plane.clock.pass_by(20)
    await plane.send(launch, {"number": 2, "type": "step", "data": STEP})
    plane.clock.pass_by(12)


async def run_to_the_end(plane: Plane, first: str, second: str) -> None:
    """The first job is lost once and then finishes, in a report that comes twice; the second is
    cancelled while it runs."""
    plane.launcher.end(first, 1, RunState.FAILED, "boom")
    await plane.reconcile()
    launch = plane.launcher.launches[-1]
    assert (launch.job_id, launch.attempt) == (first, 2)
    for _ in range(2):
        await plane.send(
            launch, {"number": 1, "type": "started"}, {"number": 2, "type": "finished"}
        )
    plane.launcher.end(first, 2, RunState.SUCCEEDED)
    await plane.reconcile()
    await plane.send(plane.launcher.launches[-1], {"number": 1, "type": "started"})
    await plane.cancel(second)
    plane.launcher.end(second, 1, RunState.STOPPED)
    await plane.reconcile()


async def test_a_scripted_life_of_two_jobs_in_numbers(plane: Plane) -> None:
    first = await plane.submit()
    plane.clock.pass_by(1)
    second = await plane.submit()
    plane.clock.pass_by(6)
    waiting = await scrape(plane.http)
    assert waiting.all("rkd_jobs") == {"queued": 2.0}
    assert (waiting("rkd_queue_depth"), waiting("rkd_queue_oldest_seconds")) == (2, 7)

    await run_a_step(plane)
    running = await scrape(plane.http)
    assert running.all("rkd_jobs") == {"queued": 1.0, "running": 1.0}
    assert (running("rkd_queue_depth"), running("rkd_queue_oldest_seconds")) == (1, 53)
    assert running("rkd_heartbeat_age_seconds") == 12
    assert running("rkd_report_interval_seconds_count") == 2
    assert running("rkd_report_interval_seconds_sum") == 35
    assert running("rkd_report_interval_seconds_bucket", le="15.0") == 1
    assert running("rkd_report_interval_seconds_bucket", le="20.0") == 2
    assert running.all("rkd_run_events_total") == {"started": 1.0, "step": 1.0}

    await run_to_the_end(plane, first, second)
    over = await scrape(plane.http)
    assert over.all("rkd_jobs") == {"succeeded": 1.0, "cancelled": 1.0}
    assert (over("rkd_queue_depth"), over("rkd_queue_oldest_seconds")) == (0, 0)
    assert over("rkd_heartbeat_age_seconds") == 0
    assert over.all("rkd_attempts_total") == {"lost": 1.0, "succeeded": 1.0, "cancelled": 1.0}
    assert over.all("rkd_attempt_losses_total") == {"failed": 1.0}
    assert over.all("rkd_run_events_total") == {"started": 3.0, "step": 1.0, "finished": 1.0}
    assert over("rkd_reconcile_seconds_count") == 4
    report = "/v1/internal/jobs/{job_id}/attempts/{number}/events"
    assert over.requests() == {
        ("POST", "/v1/jobs", "201"): 2,
        ("POST", report, "200"): 6,
        ("POST", "/v1/jobs/{job_id}/cancel", "202"): 1,
        ("GET", "/metrics", "200"): 2,
    }
    assert over("rkd_request_seconds_count", route=report) == 6


async def test_every_value_of_a_closed_label_is_there_from_the_start(plane: Plane) -> None:
    found = await scrape(plane.http)
    closed: dict[str, tuple[str, list[str]]] = {
        "rkd_jobs": ("status", list(Status)),
        "rkd_attempts_total": ("outcome", list(Outcome)),
        "rkd_attempt_losses_total": ("cause", list(LossCause)),
        "rkd_run_events_total": ("type", list(EVENT_TYPES)),
        "rkd_reconcile_failures_total": ("part", ["pass", "attempt"]),
    }
    for name, (label, values) in closed.items():
        assert {value: found(name, **{label: value}) for value in values} == dict.fromkeys(
            values, 0
        )
    assert found("rkd_database_up") == 1
    python = platform.python_version()
    assert found("rkd_build_info", version=__version__, python=python) == 1


async def test_names_types_and_labels_are_those_of_the_catalogue(plane: Plane) -> None:
    await plane.running()
    found = await scrape(plane.http)
    again = await scrape(plane.http)
    assert found.kinds == {name: series.kind for name, series in SERIES.items()}
    assert again.labels() == {name: set(series.labels) for name, series in SERIES.items()}


async def test_the_answer_is_prometheus_text_and_needs_no_key(plane: Plane) -> None:
    del plane.http.headers["Authorization"]
    answer = await plane.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    document = (await plane.http.get("/openapi.json")).json()["paths"]["/metrics"]["get"]
    assert list(document["responses"]["200"]["content"]) == ["text/plain"]
    assert "security" not in document


async def test_the_room_is_the_last_one_seen_and_a_scrape_never_asks_for_it(plane: Plane) -> None:
    nodes = [Node({"CPU": 8.0, "GPU": 2.0}, {"CPU": 3.0}), Node({"CPU": 4.0}, {"CPU": 0.5})]
    plane.launcher.nodes = nodes
    before = await scrape(plane.http)
    assert before.all("rkd_cluster_cpus") == {}
    assert before("rkd_cluster_seen_timestamp_seconds") == 0
    await plane.submit()
    seen = plane.clock.time.timestamp()
    plane.clock.pass_by(60)
    plane.launcher.hidden = LauncherUnavailable("Ray is away")
    after = await scrape(plane.http)
    assert after.all("rkd_cluster_cpus") == {"total": 12.0, "used": 3.5}
    assert after.all("rkd_cluster_gpus") == {"total": 2.0}
    assert after("rkd_cluster_seen_timestamp_seconds") == seen
    assert after("rkd_cluster_errors_total") == 0
    await plane.reconcile()
    assert (await scrape(plane.http))("rkd_cluster_errors_total") == 1


async def test_every_failed_call_to_the_cluster_is_counted(plane: Plane) -> None:
    await plane.running()
    plane.launcher.trouble = LauncherUnavailable("Ray is away")
    await plane.reconcile()
    await plane.reconcile()
    assert (await scrape(plane.http))("rkd_cluster_errors_total") == 2


async def test_failures_of_a_pass_and_of_a_look_at_one_attempt_are_counted(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plane.running()

    async def broken(*given: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(plane.launcher, "status", broken)
    await plane.reconcile()
    found = await scrape(plane.http)
    assert found.all("rkd_reconcile_failures_total") == {"attempt": 1.0}
    monkeypatch.setattr("rkd_online.service.store.leases.take", broken)
    running = asyncio.create_task(plane.services.reconciler.run())
    while not (await scrape(plane.http))("rkd_reconcile_failures_total", part="pass"):
        await asyncio.sleep(0.01)
    plane.services.reconciler.end()
    await running
    assert (await scrape(plane.http)).all("rkd_reconcile_failures_total") == {
        "attempt": 1.0,
        "pass": 1.0,
    }


async def test_fifty_open_streams_are_counted_and_do_not_hold_up_a_scrape(plane: Plane) -> None:
    launch = await plane.running()
    path = f"/v1/jobs/{launch.job_id}/events/stream"
    streams = [asyncio.create_task(plane.http.get(path)) for _ in range(50)]
    async with asyncio.timeout(60):
        while (await scrape(plane.http))("rkd_streams") != 50:
            await asyncio.sleep(0.05)
        found = await scrape(plane.http)
        assert found("rkd_requests_in_progress") == 1
        template = "/v1/jobs/{job_id}/events/stream"
        assert found("rkd_requests_total", method="GET", route=template, status="200") == 50
        assert found("rkd_request_seconds_count", route=template) == 50
        await plane.send(launch, {"number": 2, "type": "finished"})
        await asyncio.gather(*streams)
    over = await scrape(plane.http)
    assert over("rkd_streams") == 0
    assert over("rkd_requests_total", method="GET", route=template, status="200") == 50


async def test_hostile_paths_and_methods_make_no_new_series(plane: Plane) -> None:
    for number in range(40):
        await plane.http.get(f"/wp-admin/{number}")
        await plane.http.get(f"/v1/jobs/job-{number}")
        await plane.http.get(f"/static-offline-docs/{number}")
        await plane.http.get("/livez", headers={"Host": f"evil-{number}.example"})
        await plane.http.request(f"HACK{number}", "/v1/jobs")
    found = await scrape(plane.http)
    assert found.requests() == {
        ("GET", "none", "404"): 40,
        ("GET", "none", "421"): 40,
        ("GET", "/v1/jobs/{job_id}", "404"): 40,
        ("GET", "/static-offline-docs", "404"): 40,
        ("other", "/v1/jobs", "405"): 40,
    }


async def test_an_error_of_ours_counts_as_500_and_is_told_with_the_requests_id(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*given: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("rkd_online.service.store.jobs.find", broken)
    lenient = httpx.ASGITransport(plane.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=lenient, base_url="http://127.0.0.1", headers=plane.http.headers
    ) as http:
        answer = await http.get("/v1/jobs/job-1", headers={"X-Request-ID": "mine"})
        assert (answer.status_code, answer.json()["request_id"]) == (500, "mine")
        assert answer.headers.get_list("X-Request-ID") == ["mine"]
        found = await scrape(http)
    route = "/v1/jobs/{job_id}"
    assert found("rkd_requests_total", method="GET", route=route, status="500") == 1
    assert found("rkd_requests_in_progress") == 1
