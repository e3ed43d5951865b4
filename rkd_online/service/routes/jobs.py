"""Jobs: submit, look, list, cancel."""

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse, StreamingResponse

from rkd_online.metrics.chrome_trace import chrome_trace
from rkd_online.metrics.trace_steps import has_steps
from rkd_online.service.cursor import cursor_of, parse_cursor
from rkd_online.service.problems import ApiError, documented, no_such_job
from rkd_online.service.records import job_record
from rkd_online.service.schemas import JobRecord, Page, Validation
from rkd_online.service.services import Services, ServicesDep
from rkd_online.service.state import Status, cancel_target
from rkd_online.service.store import attempts, jobs
from rkd_online.service.store.models import JobRow
from rkd_online.service.strict_json import StrictRoute
from rkd_online.spec import JobSpec
from rkd_online.spec.check import check_spec
from rkd_online.spec.plan import describe_plan

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=StrictRoute)

Limit = Annotated[int, Query(ge=1, le=100)]


@router.post("/jobs", status_code=201, responses=documented(422))
async def submit(spec: JobSpec, services: ServicesDep, response: Response) -> JobRecord:
    """Queue a job."""
    await asyncio.to_thread(check_spec, spec)
    async with services.database.write() as session:
        resolved = spec.model_dump(mode="json")
        job = await jobs.insert(session, spec.name, resolved, services.now())
    services.reconciler.wake()
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job_record(services, job)


@router.post("/jobs:validate", responses=documented(422))
async def validate(spec: JobSpec) -> Validation:
    """Check a job and describe what it would do, without queueing it."""
    await asyncio.to_thread(check_spec, spec)
    plan = await asyncio.to_thread(describe_plan, spec)
    return Validation(spec=spec.model_dump(mode="json"), plan=plan)


@router.get("/jobs", responses=documented(422))
async def list_jobs(
    services: ServicesDep,
    status: Annotated[list[Status] | None, Query()] = None,
    after: str | None = None,
    limit: Limit = 20,
) -> Page[JobRecord]:
    """Jobs, newest first."""
    position = parse_cursor(after) if after is not None else None
    async with services.database.read() as session:
        found = await jobs.page(session, status or [], position, limit + 1)
    shown = found[:limit]
    has_more = len(found) > limit
    return Page(
        data=[job_record(services, job) for job in shown],
        has_more=has_more,
        next=cursor_of(shown[-1]) if has_more else None,
    )


@router.get("/jobs/{job_id}", responses=documented(404))
async def show(job_id: str, services: ServicesDep) -> JobRecord:
    """One job."""
    return job_record(services, await _job(services, job_id))


@router.post(
    "/jobs/{job_id}/cancel",
    status_code=202,
    responses={
        200: {"model": JobRecord, "description": "Cancelled before"},
        **documented(404, 409),
    },
)
async def cancel(job_id: str, services: ServicesDep, response: Response) -> JobRecord:
    """Stop a job; one that waits is cancelled at once, one that runs when its run has ended."""
    async with services.database.write() as session:
        job = await jobs.lock(session, job_id)
        if job is None:
            raise no_such_job(job_id)
        if cancel_target(job.status) is job.status:
            response.status_code = 200
        else:
            await attempts.cancel(session, job, services.now())
    services.bell.ring(job_id)
    services.reconciler.wake()
    return job_record(services, job)


@router.get("/jobs/{job_id}/report", responses=documented(404))
async def report(job_id: str, services: ServicesDep) -> FileResponse:
    """What the job gained: its ``report.json``."""
    path = await _report(services, job_id)
    return FileResponse(path, media_type="application/json")


@router.get(
    "/jobs/{job_id}/report.png",
    response_class=FileResponse,
    responses={
        200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
        **documented(404),
    },
)
async def report_plot(job_id: str, services: ServicesDep) -> FileResponse:
    """The report as a picture, as it was drawn at the end of the job."""
    path = (await _report(services, job_id)).with_suffix(".png")
    if not path.is_file():
        raise ApiError(404, "no_plot", f"the plot of {job_id} is no longer there: {path}")
    return FileResponse(path, media_type="image/png")


@router.get(
    "/jobs/{job_id}/trace",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/json": {}}}, **documented(404)},
)
async def trace(job_id: str, services: ServicesDep) -> StreamingResponse:
    """Who did what when, for trace viewers such as https://ui.perfetto.dev, in the Trace Event
    Format; ``otherData`` sums it up. Of a job that runs: its steps so far."""
    job = await _job(services, job_id)
    folder = services.settings.job_dir(job_id)
    if not await asyncio.to_thread(has_steps, folder):
        detail = f"{job_id} is {job.status} and has no trace: it begins when the first step is done"
        raise ApiError(404, "no_trace", detail)
    name = {"Content-Disposition": f'attachment; filename="{job_id}.trace.json"'}
    return StreamingResponse(chrome_trace(folder), media_type="application/json", headers=name)


async def _report(services: Services, job_id: str) -> Path:
    """The last file that a job writes."""
    job = await _job(services, job_id)
    path = services.settings.job_dir(job_id) / "report.json"
    if not path.is_file():
        raise ApiError(404, "no_report", f"{job_id} is {job.status} and has no report yet")
    return path


async def _job(services: Services, job_id: str) -> JobRow:
    async with services.database.read() as session:
        job = await jobs.find(session, job_id)
    if job is None:
        raise no_such_job(job_id)
    return job
