"""What docs/operations.md tells whoever runs the service of backups, keys and upgrades."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, text

from rkd_online.errors import ServiceError
from rkd_online.service.access.keys import FIRST_KEY
from rkd_online.service.app import PEPPER, ready_schema
from rkd_online.service.settings import Settings
from rkd_online.service.store import schema
from rkd_online.service.store.engine import new_engine
from tests.postgres import create
from tests.unit.service.databases import sqlite_databases
from tests.unit.service.plane import Clock, Plane, client_of, first_key, open_plane


async def whoami(plane: Plane, key: str) -> int:
    async with client_of(plane.app, key) as http:
        return (await http.get("/v1/whoami")).status_code


def first_revision(connection: Connection) -> None:
    command.upgrade(schema.config(connection), "0001")


async def with_first_schema(url: str) -> None:
    engine = new_engine(url, foreign_keys=False)
    async with engine.begin() as connection:
        await connection.run_sync(first_revision)
    await engine.dispose()


def test_a_backup_of_file_and_pepper_made_while_it_serves_is_the_same_service(
    tmp_path: Path,
) -> None:
    url = sqlite_databases(tmp_path)(tmp_path / "database")
    settings = Settings(
        data_dir=tmp_path / "data", database_url=url, ray_auth_token_path=tmp_path / "none"
    )

    async def back_up_and_restore() -> None:
        clock, copy = Clock(), tmp_path / "copy"
        copy.mkdir()
        restored = settings.model_copy(update={"data_dir": copy, "database_url": ""})
        async with open_plane(settings, clock) as plane:
            launch = await plane.running()
            with (
                closing(sqlite3.connect(tmp_path / "database" / "rkd.db")) as source,
                closing(sqlite3.connect(copy / "rkd.db")) as target,
            ):
                source.backup(target)
            for name in (PEPPER, FIRST_KEY):
                shutil.copy(settings.data_dir / name, copy)
            runs = plane.launcher.runs
        async with open_plane(restored, clock, runs=runs) as again:
            assert (await again.job(launch.job_id))["status"] == "running"
            answer = await again.send(launch, {"number": 2, "type": "finished"})
            assert answer.json()["status"] == "succeeded"

    asyncio.run(back_up_and_restore())


@pytest.mark.asyncio
async def test_a_rotated_first_key_leaves_the_old_one_in_its_file(
    plane: Plane, settings: Settings
) -> None:
    old = first_key(settings)
    answer = await plane.http.post(f"/v1/api-keys/{old.split('_')[1]}/rotate")
    new = answer.json()["key"]
    assert (await whoami(plane, old), await whoami(plane, new)) == (401, 200)
    assert first_key(settings) == old


@pytest.mark.asyncio
async def test_a_new_pepper_ends_all_keys_and_no_attempt(
    plane: Plane, settings: Settings, clock: Clock
) -> None:
    launch = await plane.running()
    old, runs = first_key(settings), plane.launcher.runs
    (settings.data_dir / PEPPER).unlink()
    async with open_plane(settings, clock, runs=runs) as again:
        assert await whoami(again, old) == 401
        assert first_key(settings) == old
        async with again.services.database.write() as session:
            await session.execute(text("DELETE FROM api_keys"))
    async with open_plane(settings, clock, runs=runs) as again:
        new = first_key(settings)
        assert (await whoami(again, old), await whoami(again, new)) == (401, 200)
        answer = await again.send(launch, {"number": 2, "type": "finished"})
        assert answer.json()["status"] == "succeeded"


def test_an_older_schema_is_upgraded_by_the_start_where_it_is_a_file(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'rkd.db'}"
    asyncio.run(with_first_schema(url))
    asyncio.run(ready_schema(url))
    asyncio.run(schema.check(url))


def test_an_older_schema_of_a_server_is_refused_with_what_to_run(postgres_server: str) -> None:
    url = f"{postgres_server}/older"
    asyncio.run(create(postgres_server, "older"))
    asyncio.run(with_first_schema(url))
    with pytest.raises(ServiceError, match=r"is at schema revision 0001, .* `rkd db upgrade`"):
        asyncio.run(ready_schema(url))
    asyncio.run(schema.upgrade(url))
    asyncio.run(ready_schema(url))
