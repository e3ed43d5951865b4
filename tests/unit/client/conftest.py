"""Both clients, and a time that stands still."""

import pytest

from rkd_online.client import clock
from tests.unit.client.both import KINDS, Kind


class Time:
    """Moves when somebody sleeps, and when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    moved = Time()
    monkeypatch.setattr(clock, "now", lambda: moved.now)
    monkeypatch.setattr(clock, "sleep", moved.sleep)
    monkeypatch.setattr(clock, "sleep_async", moved.sleep_async)
    return moved
