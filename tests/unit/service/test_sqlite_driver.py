"""SQLite's driver under SQLAlchemy: each statement with its rows, in one hand-over."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rkd_online.service.store.engine import new_engine
from rkd_online.service.store.sqlite_driver import AT_ONCE, LOCKING

pytestmark = pytest.mark.asyncio

NUMBERS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < :last) "


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    made = new_engine(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    async with made.begin() as connection:
        await connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
    yield made
    await made.dispose()


@pytest.fixture
def handovers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what the thread was asked, with the first two words of statements."""
    asked: list[str] = []
    execute = aiosqlite.Connection._execute

    async def told(self: aiosqlite.Connection, function: Any, *arguments: Any) -> Any:
        statement = str(arguments[1]) if len(arguments) > 1 else ""
        asked.append(" ".join([function.__name__, *statement.split()[:2]]))
        return await execute(self, function, *arguments)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(aiosqlite.Connection, "_execute", told)
    return asked


@pytest.mark.parametrize("rows", [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE])
async def test_all_rows_come_once_and_in_order(engine: AsyncEngine, rows: int) -> None:
    query = text(f"{NUMBERS} SELECT x FROM n WHERE x <= :rows")
    async with engine.connect() as connection:
        found = await connection.scalars(query, {"last": rows + 1, "rows": rows})
        assert list(found) == list(range(1, rows + 1))


async def test_few_rows_cost_one_hand_over_and_many_two(
    engine: AsyncEngine, handovers: list[str]
) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        handovers.clear()
        await connection.execute(text(f"{NUMBERS} SELECT x FROM n"), {"last": AT_ONCE - 1})
        assert handovers == ["_executed WITH RECURSIVE"]
        handovers.clear()
        await connection.execute(text(f"{NUMBERS} SELECT x FROM n"), {"last": AT_ONCE + 1})
        assert handovers == ["_executed WITH RECURSIVE", "fetchall"]


async def test_a_writer_waits_in_the_thread_for_the_lock_and_the_commit_alone(
    engine: AsyncEngine, handovers: list[str]
) -> None:
    writer = engine.execution_options(sqlite_begin=LOCKING)
    insert = text("INSERT INTO t (name) VALUES (:name)")
    async with writer.connect() as connection:
        for _ in range(2):  # the second without the pool's greeting
            handovers.clear()
            async with connection.begin():
                await connection.execute(insert, {"name": None})
                await connection.execute(insert, [{"name": None}, {"name": None}])
                await connection.execute(text(f"{NUMBERS} SELECT x FROM n"), {"last": 2 * AT_ONCE})
        assert handovers == ["_executed BEGIN IMMEDIATE", "commit"]
        handovers.clear()
        with pytest.raises(IntegrityError, match="UNIQUE"):
            async with connection.begin():
                await connection.execute(insert, [{"name": "a"}, {"name": "a"}])
        assert handovers == ["_executed BEGIN IMMEDIATE", "rollback"]
    handovers.clear()
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM t")) == 6
    assert "_executed SELECT count(*)" in handovers, "a reader's statement went elsewhere"


async def test_who_cannot_get_the_lock_holds_nothing_up(tmp_path: Path) -> None:
    engine = new_engine(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    writer = engine.execution_options(sqlite_begin=LOCKING)
    async with writer.connect() as first, writer.connect() as second:
        await second.exec_driver_sql("PRAGMA busy_timeout=300")
        await second.rollback()
        async with first.begin():
            waiting = asyncio.create_task(_begun(second))
            turns = 0
            while not waiting.done():
                await asyncio.sleep(0.01)
                turns += 1
            with pytest.raises(OperationalError, match="locked"):
                await waiting
        assert turns > 3, "the loop stood still while another had the lock"
        async with second.begin():
            assert await second.scalar(text("SELECT 7")) == 7
    await engine.dispose()


async def _begun(connection: AsyncConnection) -> None:
    async with connection.begin():
        pass


async def test_a_reader_in_parts_gets_all_and_holds_few(
    engine: AsyncEngine, handovers: list[str]
) -> None:
    query = text(f"SELECT x FROM ({NUMBERS} SELECT x FROM n)")
    async with engine.connect() as connection:
        found = await connection.stream(
            query, {"last": 1_000}, execution_options={"yield_per": 300}
        )
        parts = [[row.x for row in part] async for part in found.partitions(300)]
    assert [len(part) for part in parts] == [300, 300, 300, 100]
    assert [x for part in parts for x in part] == list(range(1, 1_001))
    assert handovers.count("fetchmany") >= 2


async def test_a_reader_who_stops_early_leaves_the_connection_usable(engine: AsyncEngine) -> None:
    query = text(f"SELECT x FROM ({NUMBERS} SELECT x FROM n)")
    async with engine.connect() as connection:
        async with connection.stream(
            query, {"last": 10 * AT_ONCE}, execution_options={"yield_per": 10}
        ) as found:
            async for row in found:
                assert row.x == 1
                break
        assert await connection.scalar(text("SELECT 7")) == 7
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO t (name) VALUES ('a')"))


async def test_rows_can_be_read_one_by_one(engine: AsyncEngine) -> None:
    query = text(f"SELECT x FROM ({NUMBERS} SELECT x FROM n)")
    async with engine.connect() as connection:
        found = await connection.stream(query, {"last": AT_ONCE + 2})
        assert await found.fetchone() == (1,)
        assert [row.x async for row in found] == list(range(2, AT_ONCE + 3))


async def test_what_is_written_is_counted_numbered_and_returned(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        insert = text("INSERT INTO t (name) VALUES (:name)")
        await connection.execute(insert, [{"name": one} for one in "abc"])
        one = await connection.execute(insert, {"name": "d"})
        assert one.lastrowid == 4
        changed = await connection.execute(text("UPDATE t SET name = name || '!' WHERE id > 2"))
        assert changed.rowcount == 2
        gone = await connection.execute(text("DELETE FROM t WHERE id > 2 RETURNING name"))
        assert sorted(gone.scalars()) == ["c!", "d!"]


async def test_an_error_is_sqlalchemys_and_undoes_the_transaction(engine: AsyncEngine) -> None:
    with pytest.raises(IntegrityError, match="UNIQUE"):
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO t (name) VALUES ('a')"))
            await connection.execute(text("INSERT INTO t (name) VALUES ('a')"))
    with pytest.raises(OperationalError, match="no such table"):
        async with engine.connect() as connection:
            await connection.execute(text("SELECT * FROM none"))
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM t")) == 0


async def test_what_was_not_committed_is_gone_when_a_connection_goes_back(
    engine: AsyncEngine,
) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("INSERT INTO t (name) VALUES ('a')"))
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM t")) == 0
