"""Attempts as RayJobs: KubeRay makes each a Ray of its own, Kueue says when."""

import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from rkd_online.errors import TooLargeError
from rkd_online.service.launchers.base import (
    Launch,
    LauncherError,
    LauncherRefused,
    LogStream,
    RunState,
    RunStatus,
)
from rkd_online.service.launchers.driver import STOP_WAIT_SECONDS, submission_id
from rkd_online.service.launchers.groups import grown_room
from rkd_online.service.launchers.kubernetes import Kubernetes
from rkd_online.service.launchers.packing import replicas
from rkd_online.service.launchers.ray_dashboard import RayDashboard
from rkd_online.service.launchers.ray_runs import RayRuns
from rkd_online.service.launchers.rayjob_manifest import rayjob_of, secret_of
from rkd_online.service.launchers.rayjob_status import status_of
from rkd_online.service.launchers.rayjob_template import read_template
from rkd_online.service.launchers.room import Room, endless_room
from rkd_online.service.settings import Settings
from rkd_online.service.store.attempts import TokenOf
from rkd_online.spec.job import JobSpec

SUBMITTER: Final = "ray-job-submitter"
"""KubeRay's container beside the head's that prints what the driver prints."""
RAY_STOP_SECONDS: Final = STOP_WAIT_SECONDS + 10
"""Time that Ray has to stop a run in order before its cluster is deleted."""


log = logging.getLogger(__name__)


class KubeRay:
    """A `Launcher` with one RayJob for each attempt.

    It remembers nothing that matters: which tokens it has handed over, when it first asked a Ray to
    stop, and where dashboards were seen. All of it is of RayJobs that exist, or did when the last
    one was started.
    """

    def __init__(self, settings: Settings, kubernetes: Kubernetes, token_of: TokenOf) -> None:
        self._settings = settings
        self._template = read_template(settings)
        self._kubernetes = kubernetes
        self._token_of = token_of
        self._handed_over: set[str] = set()
        self._asked_to_stop: dict[str, float] = {}
        self._seen: dict[str, str] = {}

    async def start(self, launch: Launch) -> None:
        """Make the RayJob of an attempt, and the Secret with its token."""
        try:
            manifest = rayjob_of(launch, self._template, self._settings)
        except TooLargeError as error:
            raise LauncherRefused(str(error)) from error
        await self._forget_what_is_gone()
        rayjob = await self._kubernetes.create_rayjob(manifest)
        await self._hand_over(launch.job_id, launch.attempt, rayjob)

    async def status(self, job_id: str, attempt: int) -> RunStatus:
        """KubeRay's word about the RayJob of an attempt."""
        name = submission_id(job_id, attempt)
        rayjob = await self._kubernetes.rayjob(name)
        if rayjob is None:
            self._forget_gone(name)
            return RunStatus(RunState.UNKNOWN, "Kubernetes has no RayJob of it")
        self._seen[name] = _dashboard(rayjob)
        found = status_of(rayjob)
        if found.state.over:
            self._forget(name)
        elif name not in self._handed_over and "deletionTimestamp" not in rayjob["metadata"]:
            await self._hand_over(job_id, attempt, rayjob)
        return found

    async def stop(self, job_id: str, attempt: int) -> None:
        """Have Ray stop the run, and delete the RayJob where Ray is not there or takes too long."""
        name = submission_id(job_id, attempt)
        rayjob = await self._kubernetes.rayjob(name)
        if rayjob is None or rayjob["metadata"].get("deletionTimestamp"):
            return
        found = status_of(rayjob)
        if found.state.over:
            return
        if found.state is RunState.RUNNING and await self._stops_in_order(job_id, attempt, rayjob):
            return
        await self._kubernetes.delete_rayjob(name)

    async def log_tail(self, job_id: str, attempt: int, lines: int) -> str:
        """The end of the driver's log from Ray, or what Kubernetes has of it where Ray is gone;
        empty where there is nothing."""
        rayjob = await self._kubernetes.rayjob(submission_id(job_id, attempt))
        if rayjob is None:
            return ""
        try:
            async with self._runs(rayjob) as runs:
                return await runs.log_tail(job_id, attempt, lines)
        except LauncherError:
            return await self._pod_log(rayjob, lines)

    async def role_log(
        self, job_id: str, attempt: int, worker: str, stream: LogStream, lines: int
    ) -> str:
        """The end of an actor's log, while its Ray is there."""
        rayjob = await self._kubernetes.rayjob(submission_id(job_id, attempt))
        if rayjob is None:
            raise LauncherRefused(f"the Ray of attempt {attempt} of {job_id} is gone")
        async with self._runs(rayjob) as runs:
            return await runs.role_log(job_id, attempt, worker, stream, lines)

    def unfit(self, spec: JobSpec) -> str | None:
        """Why a pod of the template is too small for an actor."""
        try:
            replicas(spec, self._template.pods)
        except TooLargeError as error:
            return str(error)
        return None

    async def room(self) -> Room:
        """Kueue, or Kubernetes, keeps a RayJob waiting until there is room: what is counted here is
        what the cluster may grow to, or nothing."""
        groups = self._settings.cluster_groups
        if self._template.queue or not groups:
            return endless_room()
        return grown_room(groups, self._settings.role_label)

    def dashboard(self, job_id: str, attempt: int) -> str:
        """The attempt's page in its own Ray's dashboard; empty where no address is known."""
        name = submission_id(job_id, attempt)
        outside = self._settings.ray_dashboard_url.rstrip("/")
        address = outside.replace("{rayjob}", name) if outside else self._seen.get(name, "")
        address = address.replace("{namespace}", self._kubernetes.namespace)
        return f"{address}/#/jobs/{name}" if address else ""

    async def close(self) -> None:
        """Close the connections to Kubernetes."""
        await self._kubernetes.close()

    async def _hand_over(self, job_id: str, attempt: int, rayjob: Mapping[str, Any]) -> None:
        """A process that ended between the RayJob and its Secret left a head that waits for it."""
        secret = secret_of(job_id, attempt, self._token_of(job_id, attempt), rayjob)
        await self._kubernetes.create_secret(secret)
        self._handed_over.add(rayjob["metadata"]["name"])

    async def _forget_what_is_gone(self) -> None:
        """Nobody asks for a run that has ended when KubeRay deletes its RayJob later. Each is asked
        for by its name: the control plane has no right to list them."""
        for name in self._handed_over | self._asked_to_stop.keys() | self._seen.keys():
            try:
                if await self._kubernetes.rayjob(name) is None:
                    self._forget_gone(name)
            except LauncherError as error:
                log.warning("what is known of RayJobs that are gone stays for now: %s", error)
                return

    def _forget_gone(self, name: str) -> None:
        self._forget(name)
        self._seen.pop(name, None)

    def _forget(self, name: str) -> None:
        self._handed_over.discard(name)
        self._asked_to_stop.pop(name, None)

    async def _stops_in_order(self, job_id: str, attempt: int, rayjob: Mapping[str, Any]) -> bool:
        """Whether Ray was asked, and still has time."""
        name, now = rayjob["metadata"]["name"], time.monotonic()
        first = self._asked_to_stop.setdefault(name, now)
        if now - first > RAY_STOP_SECONDS:
            return False
        try:
            async with self._runs(rayjob) as runs:
                await runs.stop(job_id, attempt)
        except LauncherError:
            return False
        return True

    async def _pod_log(self, rayjob: Mapping[str, Any], lines: int) -> str:
        """KubeRay's submitter prints what the driver does, in a pod of its own or beside the head;
        the head's own container tells at least how Ray ended."""
        name = rayjob["metadata"]["name"]
        cluster = (rayjob.get("status") or {}).get("rayClusterName", "")
        pods = await self._kubernetes.pods({"job-name": name})
        if not pods and cluster:
            pods = await self._kubernetes.pods(
                {"ray.io/cluster": cluster, "ray.io/node-type": "head"}
            )
        if not pods:
            return ""
        pod, containers = pods[-1]
        container = SUBMITTER if SUBMITTER in containers else containers[0]
        return (await self._kubernetes.log_end(pod, container, lines)).removesuffix("\n")

    @asynccontextmanager
    async def _runs(self, rayjob: Mapping[str, Any]) -> AsyncIterator[RayRuns]:
        """The attempt's own Ray."""
        address = _dashboard(rayjob)
        if not address:
            name = rayjob["metadata"]["name"]
            raise LauncherRefused(f"the RayJob {name} has no Ray: {status_of(rayjob).message}")
        ray = RayDashboard(address, self._settings.ray_token, _remedy(rayjob))
        try:
            yield RayRuns(ray)
        finally:
            await ray.close()


def _remedy(rayjob: Mapping[str, Any]) -> str:
    name = rayjob["metadata"]["name"]
    return (
        f"it is the Ray of the RayJob {name}, whose status has this address; see whether its head "
        "runs, and whether a NetworkPolicy keeps the control plane from that port"
    )


def _dashboard(rayjob: Mapping[str, Any]) -> str:
    """KubeRay names host and port alone."""
    address = (rayjob.get("status") or {}).get("dashboardURL", "")
    return f"http://{address}" if address and "://" not in address else address
