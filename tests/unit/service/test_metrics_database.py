"""A scrape and the database: one cheap query, which may fail."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import QueuePool, text

from rkd_online.service.routes import scrape as scrape_route
from rkd_online.service.settings import Settings
from rkd_online.service.store import standing
from rkd_online.service.telemetry.catalogue import SERIES
from tests.unit.service.plane import Clock, Plane, open_plane
from tests.unit.service.scraping import scrape

pytestmark = pytest.mark.asyncio


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
