"""Attempts on one Ray, through its dashboard: what became of them, their logs, their end."""

from typing import Any

from rkd_online.log_end import readable
from rkd_online.service.launchers.base import LauncherRefused, LogStream
from rkd_online.service.launchers.driver import submission_id
from rkd_online.service.launchers.ray_dashboard import LOG_TIMEOUT, RayDashboard


class RayRuns:
    """Each attempt is the Ray Job of its `submission_id`. Every call raises `LauncherError`."""

    def __init__(self, ray: RayDashboard) -> None:
        self._ray = ray

    async def details(self, job_id: str, attempt: int) -> dict[str, Any] | None:
        """What Ray says of the Ray Job of an attempt; None where it does not know it."""
        answer = await self._ray.call("GET", f"/api/jobs/{submission_id(job_id, attempt)}")
        if answer.status_code == 404:
            return None
        found: dict[str, Any] = self._ray.check(answer)
        return found

    async def stop(self, job_id: str, attempt: int) -> None:
        """Ask Ray to stop the Ray Job of an attempt."""
        answer = await self._ray.call("POST", f"/api/jobs/{submission_id(job_id, attempt)}/stop")
        if answer.status_code != 404:
            self._ray.check(answer)

    async def log_tail(self, job_id: str, attempt: int, lines: int) -> str:
        """The end of the driver's log, into which Ray also copies what the workers print; empty
        before there is one."""
        found = await self.details(job_id, attempt)
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
        found = await self.details(job_id, attempt)
        if found is None or not found.get("job_id"):
            raise LauncherRefused(f"Ray knows no workers of attempt {attempt} of {job_id}")
        name = f"rkd:{job_id}:{worker}"
        actors = await self._actors({"name": name, "job_id": found["job_id"]})
        if not actors:
            raise LauncherRefused(f"Ray knows no worker {worker} of attempt {attempt} of {job_id}")
        named = {"actor_id": actors[-1]["actor_id"], "suffix": stream}
        return readable(await self._ray.log_end(named, lines))

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


def said(message: str) -> str:
    """What Ray says of the end of a run. Its first line announces the end of the log, which follows
    there and is fetched by itself."""
    return message.strip().partition("\n")[0].partition(", last available logs")[0]
