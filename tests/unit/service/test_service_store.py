"""The database: its schema, its pragmas, its transactions."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import ClauseElement, Connection, event, make_url, text
from sqlalchemy.orm import ORMExecuteState

from rkd_online.errors import ServiceError
from rkd_online.service.store import jobs, schema
from rkd_online.service.store.columns import Base
from rkd_online.service.store.engine import Database

pytestmark = pytest.mark.asyncio

POSTGRES = make_url("postgresql+asyncpg://").get_dialect()()


def url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'rkd.db'}"


async def new_database(folder: Path) -> Database:
    await schema.upgrade(url(folder))
    return Database(url(folder))


async def test_the_migrations_make_exactly_the_models_tables(tmp_path: Path) -> None:
    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), Base.metadata)

    database = await new_database(tmp_path)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_an_upgraded_database_is_upgraded_again_without_a_change(tmp_path: Path) -> None:
    database = await new_database(tmp_path)
    await schema.upgrade(url(tmp_path))
    async with database.read() as session:
        assert await session.scalar(text("SELECT version_num FROM alembic_version")) == "0002"
    await database.close()


async def test_a_schema_of_a_later_version_is_refused(tmp_path: Path) -> None:
    database = await new_database(tmp_path)
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ServiceError, match=r"rkd\.db has a schema that this version does not know"):
        await schema.upgrade(url(tmp_path))
    await database.close()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 30000), ("synchronous", 1)],
)
async def test_every_connection_has_the_pragma(
    tmp_path: Path, pragma: str, value: str | int
) -> None:
    database = await new_database(tmp_path)
    async with database.read() as session:
        assert await session.scalar(text(f"PRAGMA {pragma}")) == value
    await database.close()


async def test_writers_that_read_first_do_not_lose_each_others_updates(tmp_path: Path) -> None:
    database = await new_database(tmp_path)
    async with database.write() as session:
        await session.execute(text("CREATE TABLE counter (value INTEGER)"))
        await session.execute(text("INSERT INTO counter VALUES (0)"))

    async def count() -> None:
        async with database.write() as session:
            value = await session.scalar(text("SELECT value FROM counter"))
            await asyncio.sleep(0)
            await session.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})

    await asyncio.gather(*(count() for _ in range(50)))
    async with database.read() as session:
        assert await session.scalar(text("SELECT value FROM counter")) == 50
    await database.close()


async def test_jobs_are_claimed_under_a_lock_that_no_second_claimer_waits_for(
    tmp_path: Path,
) -> None:
    """SQLite locks the whole database and leaves the clause out, so PostgreSQL's words count."""
    asked: list[str] = []

    def compiled(state: ORMExecuteState) -> None:
        assert isinstance(state.statement, ClauseElement)
        asked.append(str(state.statement.compile(dialect=POSTGRES)))

    database = await new_database(tmp_path)
    async with database.write() as session:
        event.listen(session.sync_session, "do_orm_execute", compiled)
        assert await jobs.next_in_line(session, datetime.now(UTC), 1) == []
    [query] = asked
    assert query.endswith("FOR UPDATE SKIP LOCKED")
    await database.close()


async def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    database = await new_database(tmp_path)
    with pytest.raises(RuntimeError):
        async with database.write() as session:
            await session.execute(text("CREATE TABLE half (value INTEGER)"))
            raise RuntimeError
    async with database.read() as session:
        found = await session.scalar(text("SELECT count(*) FROM sqlite_master WHERE name='half'"))
        assert found == 0
    await database.close()
