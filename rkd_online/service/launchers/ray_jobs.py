"""Attempts as Ray Jobs, through the dashboard's REST API."""

import json
import shlex
from typing import Any

import httpx

from rkd_online.inference.environment import engine_environment
from rkd_online.service.launchers.base import (
    Launch,
    LauncherRefused,
    LauncherUnavailable,
    LogStream,
    RunState,
    RunStatus,
)
from rkd_online.service.launchers.ray_dashboard import LOG_TIMEOUT, RayDashboard
from rkd_online.service.launchers.room import Node, Room
from rkd_online.service.settings import Settings
from rkd_online.spec.needs import KINDS

SUBMIT_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
"""Ray's job agent may still be starting when the dashboard already answers."""
RAYS_OWN = (":job_id:", ":actor_name:", ":task_name:")
"""Marks that Ray writes into the logs of workers for itself."""
STOP_WAIT_SECONDS = 20
"""Time between Ray's SIGTERM and SIGKILL: its own 3 s are too short to close the actors."""


def submission_id(job_id: str, attempt: int) -> str:
    """The Ray Job's id: the same for every try to start this attempt."""
    return f"rkd-{job_id}-{attempt}"


class RayJobs:
    """A `Launcher` on one Ray cluster."""

    def __init__(
        self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._ray = RayDashboard(settings, transport)

    async def start(self, launch: Launch) -> None:
        """Submit the Ray Job of an attempt."""
        body = self._submission(launch)
        answer = await self._ray.call("POST", "/api/jobs/", json=body, timeout=SUBMIT_TIMEOUT)
        if answer.is_server_error and "already exists" in answer.text:
            return
        self._ray.check(answer)

    async def status(self, job_id: str, attempt: int) -> RunStatus:
        """Ray's word about the Ray Job of an attempt."""
        found = await self._details(job_id, attempt)
        if found is None:
            return RunStatus(RunState.UNKNOWN, "Ray does not know it")
        return RunStatus(RunState(found["status"].lower()), _words(found))

    async def stop(self, job_id: str, attempt: int) -> None:
        """Ask Ray to stop the Ray Job of an attempt."""
        answer = await self._ray.call("POST", f"/api/jobs/{submission_id(job_id, attempt)}/stop")
        if answer.status_code != 404:
            self._ray.check(answer)

    async def log_tail(self, job_id: str, attempt: int, lines: int) -> str:
        """The end of the driver's log, into which Ray also copies what the workers print; empty
        before there is one."""
        found = await self._details(job_id, attempt)
        node = found.get("driver_node_id") if found else None
        if not node:
            return ""
        named = {"node_id": node, "submission_id": submission_id(job_id, attempt)}
        return await self._ray.log_end(named, lines)

    async def role_log(
        self, job_id: str, attempt: int, worker: str, stream: LogStream, lines: int
    ) -> str:
        """The end of an actor's log. Attempts name their actors alike, and Ray remembers those that
        are dead: the driver's job tells them apart."""
        found = await self._details(job_id, attempt)
        if found is None or not found.get("job_id"):
            raise LauncherRefused(f"Ray knows no workers of attempt {attempt} of {job_id}")
        name = f"rkd:{job_id}:{worker}"
        actors = await self._actors({"name": name, "job_id": found["job_id"]})
        if not actors:
            raise LauncherRefused(f"Ray knows no worker {worker} of attempt {attempt} of {job_id}")
        named = {"actor_id": actors[-1]["actor_id"], "suffix": stream}
        text = await self._ray.log_end(named, lines)
        return "".join(
            line for line in text.splitlines(keepends=True) if not line.startswith(RAYS_OWN)
        )

    async def room(self) -> Room:
        """What Ray's autoscaler last heard of each node: a few seconds old."""
        status = self._ray.check(await self._ray.call("GET", "/api/cluster_status"))["data"]
        report = (status["clusterStatus"] or {}).get("loadMetricsReport") or {}
        nodes = report.get("usageByNode")
        if not nodes:
            raise LauncherUnavailable(
                f"Ray at {self._ray.address} does not tell its nodes yet: it may still be starting"
            )
        return Room(tuple(_node(usage) for usage in nodes.values()))

    def dashboard(self, job_id: str, attempt: int) -> str:
        """The Ray Job's page."""
        return f"{self._ray.address}/#/jobs/{submission_id(job_id, attempt)}"

    async def close(self) -> None:
        """Close the connections to the dashboard."""
        await self._ray.close()

    async def _details(self, job_id: str, attempt: int) -> dict[str, Any] | None:
        """What Ray says of the Ray Job of an attempt; None where it does not know it."""
        answer = await self._ray.call("GET", f"/api/jobs/{submission_id(job_id, attempt)}")
        if answer.status_code == 404:
            return None
        found: dict[str, Any] = self._ray.check(answer)
        return found

    async def _actors(self, wanted: dict[str, str]) -> list[dict[str, Any]]:
        """The actors, dead ones too, that match in all of these fields."""
        query = [
            pair
            for key, value in wanted.items()
            for pair in (("filter_keys", key), ("filter_predicates", "="), ("filter_values", value))
        ]
        answer = await self._ray.call("GET", "/api/v0/actors", params=query, timeout=LOG_TIMEOUT)
        found: list[dict[str, Any]] = self._ray.check(answer)["data"]["result"]["result"]
        return found

    def _submission(self, launch: Launch) -> dict[str, Any]:
        command = [self._settings.interpreter, "-m", "rkd_online.cluster.entrypoint"]
        command += ["--job-dir", str(launch.job_dir), "--attempt", str(launch.attempt)]
        return {
            "submission_id": submission_id(launch.job_id, launch.attempt),
            "entrypoint": shlex.join(command),
            "entrypoint_num_cpus": 0,
            "metadata": {
                "rkd_job": launch.job_id,
                "rkd_attempt": str(launch.attempt),
                "name": launch.name,
            },
            "runtime_env": {"env_vars": self._environment(launch)},
        }

    def _environment(self, launch: Launch) -> dict[str, str]:
        """The driver makes the task's problems and computes with torch as the actors do."""
        variables = (
            engine_environment(launch.device)
            | self._settings.run_storage
            | {
                "RKD_CONTROL_URL": self._settings.control_url,
                "RKD_JOB_ID": launch.job_id,
                "RKD_ATTEMPT_TOKEN": launch.token,
                "RKD_CHANGES": str(launch.changes),
                "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_SECONDS),
            }
        )
        if self._settings.trackers:
            variables["RKD_TRACKERS"] = json.dumps(self._settings.trackers)
        if launch.resume_from is not None:
            variables["RKD_RESUME_FROM"] = str(launch.resume_from)
        return variables


def _node(usage: dict[str, list[float]]) -> Node:
    """Pairs of what is used and what there is."""
    known = {kind: pair for kind, pair in usage.items() if kind in KINDS}
    return Node(
        total={kind: total for kind, (_, total) in known.items()},
        used={kind: used for kind, (used, _) in known.items()},
    )


def _words(found: dict[str, Any]) -> str:
    """Ray's message is followed by the log's end, which is fetched by itself."""
    first = (found.get("message") or "").strip().partition("\n")[0]
    error_type = found.get("error_type")
    return f"{error_type}: {first}" if error_type else first
