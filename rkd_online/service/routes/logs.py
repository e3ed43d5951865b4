"""What the processes of a job's runs print."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from rkd_online.service.access.authentication import Viewer
from rkd_online.service.launchers.base import (
    Launcher,
    LauncherError,
    LauncherRefused,
    LauncherUnavailable,
    LogStream,
    RunState,
)
from rkd_online.service.reading.kept_logs import kept_log
from rkd_online.service.reading.log_text import without_secrets
from rkd_online.service.reading.series import MOST_STEP
from rkd_online.service.routes.access import read_job
from rkd_online.service.schemas.log import JobLog, LogRole
from rkd_online.service.services import Services, ServicesDep
from rkd_online.service.web.problems import ApiError, documented

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])

Teacher = Annotated[
    str | None,
    Query(
        pattern=r"^[a-z0-9_+-]+$",
        max_length=1000,
        description="Of a job with several teachers: the parts of the scorer's, joined by `+`.",
    ),
]


@router.get("/logs", responses=documented(401, 404, 429, 503))
async def show_log(
    job_id: str,
    caller: Viewer,
    services: ServicesDep,
    role: LogRole = "driver",
    index: Annotated[
        int, Query(ge=0, le=9999, description="Which of the role's workers; the driver is one.")
    ] = 0,
    teacher: Teacher = None,
    stream: Annotated[
        LogStream, Query(description="Of a worker; the driver's two streams are one.")
    ] = "err",
    attempt: Annotated[
        int | None, Query(ge=1, le=MOST_STEP, description="The newest where none is named.")
    ] = None,
    tail: Annotated[int, Query(ge=1, le=10_000, description="How many lines.")] = 200,
) -> JobLog:
    """The last lines that the driver of a run, or one of its workers, wrote, without secrets: the
    driver's as long as the cluster keeps them, a worker's also as its run kept them at its end."""
    job = await read_job(services, caller, job_id)
    number = attempt or job.attempt
    if not 1 <= number <= job.attempt:
        raise _no_log(f"{job_id} is {job.status} and has had {job.attempt} attempts")
    worker = _worker(role, index, teacher)
    try:
        if worker is None:
            text = await _driver_log(services.launcher, job_id, number, tail)
        else:
            text = await _worker_log(services, job_id, number, worker, stream, tail)
    except LauncherRefused as error:
        raise _no_log(str(error)) from error
    except LauncherUnavailable as error:
        raise ApiError(503, "cluster_unavailable", str(error)) from error
    return JobLog(
        attempt=number,
        role=role,
        worker=worker,
        stream=stream if worker else None,
        text=await asyncio.to_thread(without_secrets, services.redactor, text),
    )


def _worker(role: LogRole, index: int, teacher: str | None) -> str | None:
    """What a run calls the worker; None for the driver."""
    if teacher is not None and role != "scorer":
        raise ApiError(422, "invalid_log", f"teacher={teacher!r} is for role=scorer, not {role}")
    if role == "driver":
        return None
    return f"{role}:{teacher}:{index}" if teacher else f"{role}:{index}"


async def _driver_log(launcher: Launcher, job_id: str, attempt: int, tail: int) -> str:
    """A run that has printed nothing has an empty log, one that the cluster forgot has none."""
    text = await launcher.log_tail(job_id, attempt, tail)
    if not text:
        found = await launcher.status(job_id, attempt)
        if found.state is RunState.UNKNOWN:
            raise LauncherRefused(
                f"the log of attempt {attempt} of {job_id} is gone: {found.message}"
            )
    return text


async def _worker_log(
    services: Services, job_id: str, attempt: int, worker: str, stream: LogStream, tail: int
) -> str:
    """From the cluster, or what the run kept when it ended."""
    try:
        return await services.launcher.role_log(job_id, attempt, worker, stream, tail)
    except LauncherError:
        files = services.storage.files(job_id)
        kept = await asyncio.to_thread(kept_log, files, attempt, worker, stream, tail)
        if kept is None:
            raise
        return kept


def _no_log(reason: str) -> ApiError:
    return ApiError(404, "no_log", f"there is no such log: {reason}")
