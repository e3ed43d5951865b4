"""What every run is started with, wherever it runs: its name, its command, its environment."""

import json
import shlex
from typing import Final

from rkd_online.inference.environment import engine_environment
from rkd_online.service.launchers.base import Launch
from rkd_online.service.settings import Settings

TOKEN: Final = "RKD_ATTEMPT_TOKEN"
"""The variable with the run's token, which no other part of its environment holds."""
STOP_WAIT_SECONDS: Final = 20
"""Time between Ray's SIGTERM and SIGKILL: its own 3 s are too short to close the actors."""


def submission_id(job_id: str, attempt: int) -> str:
    """The Ray Job's id: the same for every try to start this attempt."""
    return f"rkd-{job_id}-{attempt}"


def command(settings: Settings, launch: Launch) -> str:
    """The driver's command line."""
    words = [settings.interpreter, "-m", "rkd_online.cluster.entrypoint"]
    words += ["--job-dir", str(launch.job_dir), "--attempt", str(launch.attempt)]
    return shlex.join(words)


def metadata(launch: Launch) -> dict[str, str]:
    """What Ray's dashboard shows beside the Ray Job."""
    return {
        "rkd_job": launch.job_id,
        "rkd_attempt": str(launch.attempt),
        "name": launch.spec.name,
    }


def environment(settings: Settings, launch: Launch) -> dict[str, str]:
    """Without the token. The driver makes the task's problems and computes with torch as the actors
    do."""
    variables = engine_environment(launch.spec.resources.device) | settings.run_storage
    variables |= {
        "RKD_CONTROL_URL": settings.control_url,
        "RKD_JOB_ID": launch.job_id,
        "RKD_PROJECT": launch.project,
        "RKD_CHANGES": str(launch.changes),
        "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_SECONDS),
    }
    if settings.trackers:
        variables["RKD_TRACKERS"] = json.dumps(settings.trackers)
    if settings.role_label:
        variables["RKD_ROLE_LABEL"] = settings.role_label
    grows = settings.cluster_groups and settings.cluster_grows
    if grows and settings.launcher == "shared":  # a RayJob's pods are all there
        variables["RKD_NODE_WAIT_SECONDS"] = str(settings.node_wait_seconds)
    if launch.resume_from is not None:
        variables["RKD_RESUME_FROM"] = str(launch.resume_from)
    return variables
