"""The control plane under test, without a cluster and without models."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from rkd_online.service.settings import Settings
from tests.unit.service.plane import Clock, Plane, open_plane


@pytest.fixture(autouse=True)
def _no_models_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rkd_online.service.routes.jobs.check_spec", lambda spec: None)
    monkeypatch.setattr(
        "rkd_online.service.routes.jobs.describe_plan", lambda spec: f"{spec.steps} steps"
    )


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    return Settings(data_dir=tmp_path / "data", ray_auth_token_path=tmp_path / "none")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def plane(settings: Settings, clock: Clock) -> AsyncIterator[Plane]:
    async with open_plane(settings, clock) as plane:
        yield plane
