"""rkd db upgrade: from which revision to which, and when not."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from rkd_online.locks import exclusive
from rkd_online.service.store import schema
from tests.postgres import create, postgres
from tests.unit.cli.conftest import Rkd

HOLD = """
import sys
from pathlib import Path
from rkd_online.service.store.file_lock import held
with held(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def revision(data: Path) -> str:
    connection = sqlite3.connect(data / "rkd.db")
    (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    connection.close()
    return str(found)


def test_a_database_is_brought_to_this_version_once(rkd: Rkd, data: Path) -> None:
    shown = f"sqlite+aiosqlite:///{data / 'rkd.db'}"
    outcome = rkd("db", "upgrade", "--data-dir", str(data))
    newest = revision(data)
    assert (outcome.code, outcome.out) == (0, f"{shown} went from nothing to {newest}\n")
    again = rkd("db", "upgrade", "--data-dir", str(data))
    assert again.out == f"{shown} is at revision {newest} already\n"
    assert json.loads(rkd("db", "upgrade", "--data-dir", str(data), "--json").out) == {
        "database": shown,
        "before": newest,
        "after": newest,
    }


def test_a_database_in_use_by_a_control_plane_is_refused(rkd: Rkd, data: Path) -> None:
    url = f"sqlite+aiosqlite:///{data / 'rkd.db'}"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        outcome = rkd("db", "upgrade", "--data-dir", str(data))
        holder.stdin.close()
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(
        f"error: another control plane uses the database {data / 'rkd.db'}: stop it"
    )
    assert not (data / "rkd.db").exists()


def test_the_lock_is_the_one_of_rkd_serve(rkd: Rkd, data: Path) -> None:
    with exclusive(data / "rkd.db.lock") as free:
        assert free
        assert rkd("db", "upgrade", "--data-dir", str(data)).code == 1
    assert rkd("db", "upgrade", "--data-dir", str(data)).code == 0


def test_a_folder_that_is_not_there_is_not_made(rkd: Rkd, tmp_path: Path) -> None:
    outcome = rkd("db", "upgrade", "--data-dir", str(tmp_path / "typo"))
    assert (outcome.code, outcome.err) == (
        1,
        f"error: there is no data folder {tmp_path / 'typo'}: name the one of `rkd serve` with "
        "--data-dir, or the database with --database-url\n",
    )
    assert not (tmp_path / "typo").exists()


def test_a_newer_database_is_left_alone(rkd: Rkd, data: Path) -> None:
    asyncio.run(schema.upgrade(f"sqlite+aiosqlite:///{data / 'rkd.db'}"))
    connection = sqlite3.connect(data / "rkd.db")
    connection.execute("UPDATE alembic_version SET version_num = 'from-tomorrow'")
    connection.commit()
    connection.close()
    outcome = rkd("db", "upgrade", "--data-dir", str(data))
    assert "has a schema that this version does not know" in outcome.err
    assert (outcome.code, revision(data)) == (1, "from-tomorrow")


def test_a_servers_database_is_brought_to_this_version_on_purpose(rkd: Rkd) -> None:
    with postgres() as server:
        asyncio.run(create(server, "fresh"))
        url = f"{server}/fresh"
        first = json.loads(rkd("db", "upgrade", "--database-url", url, "--json").out)
        again = json.loads(rkd("db", "upgrade", "--database-url", url, "--json").out)
    assert first["before"] is None
    assert again["before"] == again["after"] == first["after"]


def test_a_server_that_is_not_there_is_named_without_its_password(rkd: Rkd) -> None:
    url = "postgresql+asyncpg://rkd:hush@127.0.0.1:9/rkd"
    outcome = rkd("db", "upgrade", "--database-url", url)
    assert outcome.code == 1
    assert outcome.err.startswith("error: postgresql+asyncpg://rkd:***@127.0.0.1:9/rkd cannot be u")
    assert "hush" not in outcome.err
