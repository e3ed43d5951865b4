"""What a RayJob's status means for its attempt."""

from collections.abc import Mapping
from typing import Any, Final

from rkd_online.service.launchers.base import RunState, RunStatus
from rkd_online.service.launchers.ray_runs import said
from rkd_online.service.launchers.rayjob_template import QUEUE_LABEL

BY_RAY: Final = {
    "SUCCEEDED": RunState.SUCCEEDED,
    "FAILED": RunState.FAILED,
    "STOPPED": RunState.STOPPED,
    "RUNNING": RunState.RUNNING,
}
DEPLOYMENT_OVER: Final = ("Complete", "Failed", "ValidationFailed")


def status_of(rayjob: Mapping[str, Any]) -> RunStatus:
    """Kueue suspends a RayJob before it is admitted, and again when it is preempted: its Ray is
    then gone, and what KubeRay knew of the run with it."""
    status = rayjob.get("status") or {}
    job, deployment = status.get("jobStatus", ""), status.get("jobDeploymentStatus", "")
    words = _words(status)
    if rayjob["metadata"].get("deletionTimestamp"):
        return RunStatus(RunState.RUNNING, "its RayJob is being deleted")
    if deployment in DEPLOYMENT_OVER:
        return RunStatus(_ended(job, deployment), words)
    if rayjob["spec"].get("suspend"):
        return RunStatus(RunState.WAITING, _queue(rayjob))
    return RunStatus(
        BY_RAY.get(job, RunState.PENDING), words or f"its RayJob is {deployment or 'new'}"
    )


def _ended(job: str, deployment: str) -> RunState:
    """KubeRay may give up a run of which Ray says that it runs."""
    state = BY_RAY.get(job, RunState.FAILED)
    return state if state.over and deployment != "ValidationFailed" else RunState.FAILED


def _queue(rayjob: Mapping[str, Any]) -> str:
    queue = rayjob["metadata"].get("labels", {}).get(QUEUE_LABEL, "")
    where = f"waits for Kueue: its RayJob is in the queue {queue}"
    return where if queue else "waits until its RayJob is suspended no longer"


def _words(status: Mapping[str, Any]) -> str:
    first = said(status.get("message") or "")
    reason = status.get("reason", "")
    return f"{reason}: {first}" if reason and first else reason or first
