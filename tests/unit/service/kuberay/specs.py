"""A job for GPUs, and an attempt of it."""

from pathlib import Path
from typing import Any

from rkd_online.service.launchers.base import Launch
from rkd_online.spec.job import JobSpec
from tests.unit.service.plane import SPEC

GPUS: dict[str, Any] = {
    "device": "cuda",
    "generator": {"count": 3, "cpus": 2, "gpus": 1},
    "scorer": {"count": 2, "cpus": 3, "gpus": 0.5},
    "learner": {"ranks": 2, "cpus": 2, "gpus": 1},
}


def job(**resources: Any) -> JobSpec:
    return JobSpec.model_validate(SPEC | {"resources": {**GPUS, **resources}})


LAUNCH = Launch(
    "job-1", "default", 2, Path("/var/lib/rkd/runs/job-1"), "s3cret-job-1-2", job(), None, 0
)
