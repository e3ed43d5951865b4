"""GET /metrics: what was counted, and how the jobs stand."""

import asyncio
import platform
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import QueuePool, text

from rkd_online import __version__
from rkd_online.service.launchers.base import LauncherUnavailable, RunState
from rkd_online.service.launchers.room import Node
from rkd_online.service.outcomes import LossCause, Outcome
from rkd_online.service.routes import scrape as scrape_route
from rkd_online.service.run_events import EVENT_TYPES
from rkd_online.service.settings import Settings
from rkd_online.service.state import Status
from rkd_online.service.store import standing
from rkd_online.service.telemetry.catalogue import SERIES
from rkd_online.service.telemetry.exposition import MEDIA_TYPE
from tests.unit.service.plane import Clock, Plane, open_plane
from tests.unit.service.scraping import scrape

pytestmark = pytest.mark.asyncio

STEP: dict[str, Any] = {"step": 1, "version": 1, "staleness": 0, "timings": {}, "metrics": {}}


async def test_a_scripted_life_of_two_jobs_in_numbers(plane: Plane) -> None:
    first = await plane.submit()
    second = await plane.submit()
    plane.clock.pass_by(7)
    waiting = await scrape(plane.http)
    assert waiting.all("rkd_jobs") == {"queued": 2.0}
    assert (waiting("rkd_queue_depth"), waiting("rkd_queue_oldest_seconds")) == (2, 7)

    await plane.reconcile()
    launch = plane.launcher.launches[-1]
    await plane.send(launch, {"number": 1, "type": "started"})
    plane.clock.pass_by(15)
    await plane.send(launch)
    plane.clock.pass_by(20)
    await plane.send(launch, {"number": 2, "type": "step", "data": STEP})
    plane.clock.pass_by(12)
    running = await scrape(plane.http)
    assert running.all("rkd_jobs") == {"queued": 1.0, "running": 1.0}
    assert (running("rkd_queue_depth"), running("rkd_queue_oldest_seconds")) == (1, 54)
    assert running("rkd_heartbeat_age_seconds") == 12
    assert running("rkd_report_interval_seconds_count") == 2
    assert running("rkd_report_interval_seconds_sum") == 35
    assert running("rkd_report_interval_seconds_bucket", le="15.0") == 1
    assert running("rkd_report_interval_seconds_bucket", le="20.0") == 2
    assert running.all("rkd_run_events_total") == {"started": 1.0, "step": 1.0}

    plane.launcher.end(first, 1, RunState.FAILED, "boom")
    await plane.reconcile()
    launch = plane.launcher.launches[-1]
    assert (launch.job_id, launch.attempt) == (first, 2)
    sent = [{"number": 1, "type": "started"}, {"number": 2, "type": "finished"}]
    await plane.send(launch, *sent)
    await plane.send(launch, *sent)
    plane.launcher.end(first, 2, RunState.SUCCEEDED)
    await plane.reconcile()
    await plane.send(plane.launcher.launches[-1], {"number": 1, "type": "started"})
    await plane.cancel(second)
    plane.launcher.end(second, 1, RunState.STOPPED)
    await plane.reconcile()

    over = await scrape(plane.http)
    assert over.all("rkd_jobs") == {"succeeded": 1.0, "cancelled": 1.0}
    assert (over("rkd_queue_depth"), over("rkd_queue_oldest_seconds")) == (0, 0)
    assert over("rkd_heartbeat_age_seconds") == 0
    assert over.all("rkd_attempts_total") == {"lost": 1.0, "succeeded": 1.0, "cancelled": 1.0}
    assert over.all("rkd_attempt_losses_total") == {"failed": 1.0}
    assert over.all("rkd_run_events_total") == {"started": 3.0, "step": 1.0, "finished": 1.0}
    assert over("rkd_reconcile_seconds_count") == 4
    report = "/v1/internal/jobs/{job_id}/attempts/{number}/events"
    assert {
        (labels["method"], labels["route"], labels["status"]): value
        for (name, pairs), value in over.samples.items()
        if name == "rkd_requests_total" and (labels := dict(pairs))
    } == {
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


async def failed(plane: Plane) -> None:
    launch = await plane.running()
    message = {"message": "the loss is NaN"}
    await plane.send(launch, {"number": 2, "type": "failed", "data": message})


async def refused_at_launch(plane: Plane) -> None:
    await plane.submit()
    plane.launcher.trouble = LauncherUnavailable("Ray is away")
    for _ in range(6):
        await plane.reconcile()
        plane.clock.pass_by(25)


async def paused(plane: Plane) -> None:
    launch = await plane.running()
    await plane.http.post(f"/v1/jobs/{launch.job_id}/pause")
    await plane.send(launch, {"number": 2, "type": "paused", "data": {"step": 0}})


async def paused_without_a_word(plane: Plane) -> None:
    launch = await plane.running()
    await plane.http.post(f"/v1/jobs/{launch.job_id}/pause")
    plane.launcher.end(launch.job_id, 1, RunState.FAILED)
    await plane.reconcile()


async def succeeded_without_a_word(plane: Plane) -> None:
    launch = await plane.running()
    plane.launcher.end(launch.job_id, 1, RunState.SUCCEEDED)
    await plane.reconcile()


@pytest.mark.parametrize(
    ("life", "outcome"),
    [
        (failed, "failed"),
        (refused_at_launch, "failed"),
        (paused, "paused"),
        (paused_without_a_word, "paused"),
        (succeeded_without_a_word, "succeeded"),
    ],
)
async def test_each_end_of_an_attempt_is_counted_once(
    plane: Plane, life: Callable[[Plane], Any], outcome: str
) -> None:
    await life(plane)
    found = await scrape(plane.http)
    assert found.all("rkd_attempts_total") == {outcome: 1.0}
    assert found.all("rkd_attempt_losses_total") == {}


async def ended(plane: Plane, state: RunState) -> None:
    launch = await plane.running()
    plane.launcher.end(launch.job_id, 1, state)
    await plane.reconcile()


async def told(plane: Plane) -> None:
    launch = await plane.running()
    message = {"message": "a node is gone"}
    await plane.send(launch, {"number": 2, "type": "lost", "data": message})
    plane.launcher.end(launch.job_id, 1, RunState.FAILED)
    await plane.reconcile()


async def silent(plane: Plane) -> None:
    await plane.running()
    for _ in range(5):
        plane.clock.pass_by(25)
        await plane.reconcile()


async def never_started(plane: Plane) -> None:
    await plane.submit()
    for _ in range(14):
        await plane.reconcile()
        plane.clock.pass_by(25)


@pytest.mark.parametrize(
    ("life", "cause"),
    [
        (lambda plane: ended(plane, RunState.FAILED), "failed"),
        (lambda plane: ended(plane, RunState.STOPPED), "stopped"),
        (lambda plane: ended(plane, RunState.UNKNOWN), "forgotten"),
        (told, "told"),
        (silent, "silent"),
        (never_started, "never_started"),
    ],
)
async def test_each_cause_of_a_loss_has_its_word(
    plane: Plane, life: Callable[[Plane], Any], cause: str
) -> None:
    await life(plane)
    found = await scrape(plane.http)
    assert found.all("rkd_attempt_losses_total") == {cause: 1.0}
    assert found.all("rkd_attempts_total") == {"lost": 1.0}


async def test_what_is_not_committed_is_not_counted(plane: Plane) -> None:
    launch = await plane.running()
    foreign = {"step": 1, "path": "attempts/7/checkpoints/step-000001"}
    refused = await plane.send(
        launch,
        {"number": 2, "type": "finished"},
        {"number": 3, "type": "checkpoint", "data": foreign},
    )
    assert refused.status_code == 422
    found = await scrape(plane.http)
    assert found.all("rkd_run_events_total") == {"started": 1.0}
    assert found.all("rkd_attempts_total") == {}
    assert found.all("rkd_jobs") == {"running": 1.0}


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


async def test_transactions_are_timed_those_that_fail_too(plane: Plane) -> None:
    before = await scrape(plane.http)
    async with plane.services.database.write() as session:
        await session.execute(text("SELECT 1"))
    with pytest.raises(RuntimeError):
        async with plane.services.database.write():
            raise RuntimeError
    after = await scrape(plane.http)
    count = "rkd_database_seconds_count"
    assert after(count, kind="write") == (before(count, kind="write") or 0) + 2
    assert after(count, kind="read") == (before(count, kind="read") or 0) + 1


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
    assert {
        (labels["method"], labels["route"], labels["status"]): value
        for (name, pairs), value in found.samples.items()
        if name == "rkd_requests_total" and (labels := dict(pairs))
    } == {
        ("GET", "none", "404"): 40,
        ("GET", "none", "400"): 40,
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


async def test_a_scrape_without_the_database_has_all_but_what_only_it_knows(plane: Plane) -> None:
    await plane.running()
    database = plane.services.database
    async with database.write() as session:
        await session.execute(text("ALTER TABLE attempts RENAME TO gone"))
    away = await scrape(plane.http)
    assert away("rkd_database_up") == 0
    only_there = {
        "rkd_jobs",
        "rkd_queue_depth",
        "rkd_queue_oldest_seconds",
        "rkd_heartbeat_age_seconds",
    }
    assert set(SERIES) - set(away.kinds) == only_there
    assert away.all("rkd_run_events_total") == {"started": 1.0}
    async with database.write() as session:
        await session.execute(text("ALTER TABLE gone RENAME TO attempts"))
    back = await scrape(plane.http)
    assert (back("rkd_database_up"), back("rkd_jobs", status="running")) == (1, 1)


async def test_a_database_that_does_not_answer_costs_a_scrape_its_timeout_alone(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*given: object) -> None:
        await asyncio.sleep(3600)

    with monkeypatch.context() as patch:
        patch.setattr(scrape_route, "DATABASE_SECONDS", 0.1)
        patch.setattr(standing, "read", never)
        async with asyncio.timeout(20):
            assert (await scrape(plane.http))("rkd_database_up") == 0
    assert (await scrape(plane.http))("rkd_database_up") == 1


async def test_a_query_under_way_is_given_up_and_its_connection_is_free_again(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer holds up no reader of SQLite; a server's table can be locked for readers too."""
    database = plane.services.database
    monkeypatch.setattr(scrape_route, "DATABASE_SECONDS", 0.3)
    lock = "SELECT 1" if database.is_sqlite else "LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"
    async with asyncio.timeout(30), database.write() as session:
        await session.execute(text(lock))
        found = [(await scrape(plane.http))("rkd_database_up") for _ in range(3)]
    assert found == [1, 1, 1] if database.is_sqlite else [0, 0, 0]
    monkeypatch.undo()
    assert (await scrape(plane.http))("rkd_database_up") == 1
    pool = database.engine.sync_engine.pool
    assert isinstance(pool, QueuePool) and pool.checkedout() == 0


async def test_apps_of_one_process_count_for_themselves(
    plane: Plane, settings: Settings, clock: Clock
) -> None:
    await plane.running()
    async with open_plane(settings, clock) as other:
        found = await scrape(other.http)
    assert found.all("rkd_run_events_total") == {}
    assert found.all("rkd_jobs") == {"running": 1.0}


async def test_how_the_jobs_stand_is_read_from_indexes(plane: Plane, clock: Clock) -> None:
    database = plane.services.database
    if not database.is_sqlite:  # PostgreSQL scans a table that is this small
        async with database.read() as session:
            await session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = await explained(session, clock, "EXPLAIN")
        assert "Seq Scan" not in plan, plan
        return
    async with database.read() as session:
        plan = await explained(session, clock, "EXPLAIN QUERY PLAN")
    assert "USING COVERING INDEX ix_jobs_status_priority_created_at" in plan, plan
    assert plan.count("SEARCH") == 3, plan


async def explained(session: Any, clock: Clock, word: str) -> str:
    asked = standing.query(clock()).compile(
        session.get_bind(), compile_kwargs={"literal_binds": True}
    )
    rows = await session.execute(text(f"{word} {asked}"))
    return "\n".join(str(tuple(row)) for row in rows)
