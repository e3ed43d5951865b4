"""A control plane in this process: fake cluster, fake clock, passes made by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from rkd_online.service.access.keys import FIRST_KEY
from rkd_online.service.app import create_app, prepare
from rkd_online.service.launchers.base import (
    Launch,
    LauncherError,
    LauncherRefused,
    LauncherUnavailable,
    LogStream,
    RunState,
    RunStatus,
)
from rkd_online.service.launchers.room import Node, Room
from rkd_online.service.services import Services
from rkd_online.service.settings import Settings
from rkd_online.spec.job import JobSpec

SPEC: dict[str, Any] = {
    "version": 1,
    "name": "quick",
    "policy": {"model": "zoo:chain/student"},
    "task": {"type": "chain_sum"},
    "algorithm": {"type": "grpo"},
    "steps": 4,
}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class FakeLauncher:
    """A cluster that does what a test says. ``trouble`` is raised by every call but that for the
    room, which raises ``hidden``. ``logs`` are by ``driver``, or by attempt, worker and stream."""

    launches: list[Launch] = field(default_factory=list)
    runs: dict[tuple[str, int], RunStatus] = field(default_factory=dict)
    stopped: list[tuple[str, int]] = field(default_factory=list)
    trouble: LauncherError | None = None
    hidden: LauncherError | None = None
    nodes: list[Node] = field(default_factory=lambda: [Node({"CPU": 64.0, "GPU": 8.0}, {})])
    lost_answers: int = 0
    logs: dict[str, str] = field(default_factory=lambda: {"driver": "Killed"})
    refusal: str | None = None

    async def start(self, launch: Launch) -> None:
        self._raise()
        self.launches.append(launch)
        self.runs[launch.job_id, launch.attempt] = RunStatus(RunState.RUNNING, "")
        if self.lost_answers:
            self.lost_answers -= 1
            raise LauncherUnavailable("the answer was lost")

    async def status(self, job_id: str, attempt: int) -> RunStatus:
        self._raise()
        return self.runs.get((job_id, attempt), RunStatus(RunState.UNKNOWN, "never heard of it"))

    async def stop(self, job_id: str, attempt: int) -> None:
        self._raise()
        self.stopped.append((job_id, attempt))

    async def log_tail(self, job_id: str, attempt: int, lines: int) -> str:
        self._raise()
        return self.logs["driver"]

    async def role_log(
        self, job_id: str, attempt: int, worker: str, stream: LogStream, lines: int
    ) -> str:
        self._raise()
        name = f"{attempt} {worker} {stream}"
        if name not in self.logs:
            raise LauncherRefused(f"nobody knows {name}")
        return "".join(self.logs[name].splitlines(keepends=True)[-lines:])

    def unfit(self, spec: JobSpec) -> str | None:
        return self.refusal

    async def room(self) -> Room:
        if self.hidden is not None:
            raise self.hidden
        return Room(tuple(self.nodes))

    def dashboard(self, job_id: str, attempt: int) -> str:
        return f"http://ray/#/jobs/{job_id}-{attempt}"

    async def close(self) -> None:
        return None

    def end(self, job_id: str, attempt: int, state: RunState, message: str = "") -> None:
        self.runs[job_id, attempt] = RunStatus(state, message)

    def _raise(self) -> None:
        if self.trouble is not None:
            raise self.trouble


@dataclass
class Plane:
    """The app, its services and a client."""

    app: FastAPI
    http: httpx.AsyncClient
    launcher: FakeLauncher
    clock: Clock

    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services

    async def reconcile(self) -> None:
        await self.services.reconciler.reconcile()

    async def submit(self, **changes: Any) -> str:
        answer = await self.http.post("/v1/jobs", json={**SPEC, **changes})
        assert answer.status_code == 201, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    async def job(self, job_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/jobs/{job_id}")
        record: dict[str, Any] = answer.json()
        return record

    async def cancel(self, job_id: str) -> httpx.Response:
        return await self.http.post(f"/v1/jobs/{job_id}/cancel")

    async def events(self, job_id: str, after: int = 0) -> list[dict[str, Any]]:
        answer = await self.http.get(f"/v1/jobs/{job_id}/events?after={after}")
        data: list[dict[str, Any]] = answer.json()["data"]
        return data

    async def send(
        self, launch: Launch, *events: dict[str, Any], token: str | None = None
    ) -> httpx.Response:
        """Report as a run does."""
        return await self.http.post(
            f"/v1/internal/jobs/{launch.job_id}/attempts/{launch.attempt}/events",
            json=list(events),
            headers={"Authorization": f"Bearer {token or launch.token}"},
        )

    async def running(self, **changes: Any) -> Launch:
        """A submitted job whose first run has reported that it started."""
        await self.submit(**changes)
        await self.reconcile()
        launch = self.launcher.launches[-1]
        answer = await self.send(launch, {"number": 1, "type": "started"})
        assert answer.status_code == 200, answer.text
        return launch


def client_of(app: FastAPI, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://127.0.0.1:8420",
        headers={"Authorization": f"Bearer {key}"},
    )


def first_key(settings: Settings) -> str:
    """The key for all projects that the first start made."""
    file = settings.data_dir / FIRST_KEY
    return file.read_text().strip() if settings.auth == "keys" else "none"


def first_client(app: FastAPI, settings: Settings) -> httpx.AsyncClient:
    return client_of(app, first_key(settings))


@asynccontextmanager
async def open_plane(
    settings: Settings,
    clock: Clock,
    runs: dict[tuple[str, int], RunStatus] | None = None,
    *,
    own: bool = False,
) -> AsyncIterator[Plane]:
    """A control plane whose reconciler moves only when a test says so. ``own``: on the cluster of
    its settings, not on the fake one."""
    launcher = FakeLauncher(runs=runs or {})
    app = create_app(settings, None if own else launcher, now=clock)
    services: Services = app.state.services
    await prepare(services)
    async with first_client(app, settings) as http:
        yield Plane(app, http, launcher, clock)
    await services.launcher.close()
    await services.database.close()
