"""Attempts as Ray Jobs on one standing cluster, through the dashboard's REST API."""

from typing import Any, Final

import httpx

from rkd_online.service.launchers.base import (
    Launch,
    LauncherUnavailable,
    LogStream,
    RunState,
    RunStatus,
)
from rkd_online.service.launchers.driver import TOKEN, command, environment, metadata, submission_id
from rkd_online.service.launchers.groups import grown_room
from rkd_online.service.launchers.ray_dashboard import RayDashboard
from rkd_online.service.launchers.ray_nodes import NodeLabels
from rkd_online.service.launchers.ray_runs import RayRuns, said
from rkd_online.service.launchers.ray_usage import usage_by_node
from rkd_online.service.launchers.room import NodeOfRole, Room, room_of
from rkd_online.service.settings import Settings
from rkd_online.spec.job import JobSpec

SUBMIT_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
"""Ray's job agent may still be starting when the dashboard already answers."""

REMEDY: Final = "start it, or point RKD_RAY_ADDRESS at its dashboard"


class RayJobs:
    """A `Launcher` on one Ray cluster."""

    def __init__(
        self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._ray = RayDashboard(settings.ray_address, settings.ray_token, REMEDY, transport)
        self._runs = RayRuns(self._ray)
        self._labels = NodeLabels(self._ray)

    async def start(self, launch: Launch) -> None:
        """Submit the Ray Job of an attempt."""
        body = self._submission(launch)
        answer = await self._ray.call("POST", "/api/jobs/", json=body, timeout=SUBMIT_TIMEOUT)
        if answer.is_server_error and "already exists" in answer.text:
            return
        self._ray.check(answer)

    async def status(self, job_id: str, attempt: int) -> RunStatus:
        """Ray's word about the Ray Job of an attempt."""
        found = await self._runs.details(job_id, attempt)
        if found is None:
            return RunStatus(RunState.UNKNOWN, "Ray does not know it")
        return RunStatus(RunState(found["status"].lower()), _words(found))

    async def stop(self, job_id: str, attempt: int) -> None:
        """Ask Ray to stop the Ray Job of an attempt."""
        await self._runs.stop(job_id, attempt)

    async def log_tail(self, job_id: str, attempt: int, lines: int) -> str:
        """The end of the driver's log; empty before there is one."""
        return await self._runs.log_tail(job_id, attempt, lines)

    async def role_log(
        self, job_id: str, attempt: int, worker: str, stream: LogStream, lines: int
    ) -> str:
        """The end of an actor's log."""
        return await self._runs.role_log(job_id, attempt, worker, stream, lines)

    def unfit(self, spec: JobSpec) -> str | None:
        """Nothing but room decides."""
        return None

    async def room(self) -> Room:
        """What Ray last heard of each node. Where its autoscaler adds nodes, all that there can
        be."""
        label, groups = self._settings.role_label, self._settings.cluster_groups
        found = await self._nodes()
        if not found:  # a healthy Ray tells its head at least
            raise LauncherUnavailable(
                f"Ray at {self._ray.address} does not tell its nodes yet: it may still be starting"
            )
        if groups and self._settings.cluster_grows:
            return grown_room(groups, label, found)
        return room_of(found, label)

    async def _nodes(self) -> list[NodeOfRole]:
        found = await usage_by_node(self._ray)
        labels = await self._labels.of(found.keys()) if self._settings.role_label else {}
        return [
            NodeOfRole(one.total, one.used, labels.get(name, {})) for name, one in found.items()
        ]

    def dashboard(self, job_id: str, attempt: int) -> str:
        """The Ray Job's page."""
        address = self._settings.ray_dashboard_url.rstrip("/") or self._ray.address
        return f"{address}/#/jobs/{submission_id(job_id, attempt)}"

    async def close(self) -> None:
        """Close the connections to the dashboard."""
        await self._ray.close()

    def _submission(self, launch: Launch) -> dict[str, Any]:
        variables = environment(self._settings, launch) | {TOKEN: launch.token}
        return {
            "submission_id": submission_id(launch.job_id, launch.attempt),
            "entrypoint": command(self._settings, launch),
            "entrypoint_num_cpus": 0,
            "metadata": metadata(launch),
            "runtime_env": {"env_vars": variables},
        }


def _words(found: dict[str, Any]) -> str:
    first = said(found.get("message") or "")
    error_type = found.get("error_type")
    return f"{error_type}: {first}" if error_type else first
