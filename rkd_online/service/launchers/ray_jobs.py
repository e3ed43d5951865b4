"""Attempts as Ray Jobs, through the dashboard's REST API."""

import shlex
from typing import Any

import httpx

from rkd_online.inference.environment import engine_environment
from rkd_online.service.launchers.base import (
    Launch,
    LauncherRefused,
    LauncherUnavailable,
    RunState,
    RunStatus,
)
from rkd_online.service.launchers.room import Node, Room
from rkd_online.service.settings import Settings
from rkd_online.spec.needs import KINDS

SUBMIT_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
"""Ray's job agent may still be starting when the dashboard already answers."""
CALL_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
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
        self._address = settings.ray_address.rstrip("/")
        token = settings.ray_token
        self._client = httpx.AsyncClient(
            base_url=self._address,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=CALL_TIMEOUT,
            transport=transport,
        )

    async def start(self, launch: Launch) -> None:
        """Submit the Ray Job of an attempt."""
        body = self._submission(launch)
        answer = await self._call("POST", "/api/jobs/", json=body, timeout=SUBMIT_TIMEOUT)
        if answer.is_server_error and "already exists" in answer.text:
            return
        self._check(answer)

    async def status(self, job_id: str, attempt: int) -> RunStatus:
        """Ray's word about the Ray Job of an attempt."""
        answer = await self._call("GET", f"/api/jobs/{submission_id(job_id, attempt)}")
        if answer.status_code == 404:
            return RunStatus(RunState.UNKNOWN, "Ray does not know it")
        found = self._check(answer)
        return RunStatus(RunState(found["status"].lower()), _words(found))

    async def stop(self, job_id: str, attempt: int) -> None:
        """Ask Ray to stop the Ray Job of an attempt."""
        answer = await self._call("POST", f"/api/jobs/{submission_id(job_id, attempt)}/stop")
        if answer.status_code != 404:
            self._check(answer)

    async def log_tail(self, job_id: str, attempt: int, lines: int) -> str:
        """The end of the driver's log."""
        answer = await self._call("GET", f"/api/jobs/{submission_id(job_id, attempt)}/logs")
        if answer.status_code == 404:
            return ""
        text: str = self._check(answer)["logs"]
        return "\n".join(text.splitlines()[-lines:])

    async def room(self) -> Room:
        """What Ray's autoscaler last heard of each node: a few seconds old."""
        status = self._check(await self._call("GET", "/api/cluster_status"))["data"]
        report = (status["clusterStatus"] or {}).get("loadMetricsReport") or {}
        nodes = report.get("usageByNode")
        if not nodes:
            raise LauncherUnavailable(
                f"Ray at {self._address} does not tell its nodes yet: it may still be starting"
            )
        return Room(tuple(_node(usage) for usage in nodes.values()))

    def dashboard(self, job_id: str, attempt: int) -> str:
        """The Ray Job's page."""
        return f"{self._address}/#/jobs/{submission_id(job_id, attempt)}"

    async def close(self) -> None:
        """Close the connections to the dashboard."""
        await self._client.aclose()

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
        variables = engine_environment(launch.device) | {
            "RKD_CONTROL_URL": self._settings.control_url,
            "RKD_DATA_DIR": str(self._settings.data_dir),
            "RKD_JOB_ID": launch.job_id,
            "RKD_ATTEMPT_TOKEN": launch.token,
            "RKD_CHANGES": str(launch.changes),
            "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_SECONDS),
        }
        if launch.resume_from is not None:
            variables["RKD_RESUME_FROM"] = str(launch.resume_from)
        return variables

    async def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return await self._client.request(method, path, **options)
        except httpx.TransportError as error:
            raise LauncherUnavailable(
                f"Ray is not reachable at {self._address} ({type(error).__name__}: {error}): start "
                "it, or point RKD_RAY_ADDRESS at its dashboard"
            ) from error

    def _check(self, answer: httpx.Response) -> Any:
        if answer.status_code in (401, 403):
            raise LauncherRefused(
                f"Ray at {self._address} does not accept the token ({answer.text.strip()}): set "
                "RAY_AUTH_TOKEN to that cluster's token"
            )
        if not answer.is_success:
            said = (answer.text.strip().splitlines() or ["no text"])[-1]
            kind = LauncherRefused if answer.is_client_error else LauncherUnavailable
            raise kind(f"Ray at {self._address} answered {answer.status_code}: {said}")
        return answer.json()


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
