"""The control plane under test on both databases, without a cluster and without models."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from rkd_online.service.settings import Settings
from tests.postgres import postgres
from tests.unit.service.databases import NewDatabase, postgres_databases, sqlite_databases
from tests.unit.service.plane import Clock, Plane, open_plane


@pytest.fixture(autouse=True)
def _no_models_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("naming", "routes.actions"):
        monkeypatch.setattr(f"rkd_online.service.{module}.check_spec", lambda spec: None)
    monkeypatch.setattr(
        "rkd_online.service.routes.jobs.describe_plan", lambda spec: f"{spec.steps} steps"
    )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="session")
def new_sqlite(tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    return sqlite_databases(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def new_postgresql(postgres_server: str) -> NewDatabase:
    return postgres_databases(postgres_server)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest) -> NewDatabase:
    """Every test that has a database runs on both."""
    made: NewDatabase = request.getfixturevalue(f"new_{request.param}")
    return made


@pytest.fixture
def settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_database: NewDatabase
) -> Settings:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    return Settings(
        data_dir=tmp_path / "data",
        database_url=new_database(tmp_path / "database"),
        ray_auth_token_path=tmp_path / "none",
        retry_wait_seconds=0,
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def plane(settings: Settings, clock: Clock) -> AsyncIterator[Plane]:
    async with open_plane(settings, clock) as plane:
        yield plane
