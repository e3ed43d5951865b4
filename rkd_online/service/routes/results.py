"""What a job leaves: its report and its trace."""

import asyncio
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, StreamingResponse

from rkd_online.metrics.chrome_trace import chrome_trace
from rkd_online.metrics.trace_steps import has_steps
from rkd_online.service.access.authentication import Viewer
from rkd_online.service.access.caller import Caller
from rkd_online.service.routes.access import JobId, read_job
from rkd_online.service.services import Services, ServicesDep
from rkd_online.service.web.problems import ApiError, documented

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])


@router.get("/report", responses=documented(401, 404, 429))
async def show_report(job_id: JobId, caller: Viewer, services: ServicesDep) -> FileResponse:
    """What the job gained: its ``report.json``."""
    path = await _report(services, caller, job_id)
    return FileResponse(path, media_type="application/json")


@router.get(
    "/report.png",
    response_class=FileResponse,
    responses={
        200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
        **documented(401, 404, 429),
    },
)
async def show_report_plot(job_id: JobId, caller: Viewer, services: ServicesDep) -> FileResponse:
    """The report as a picture, as it was drawn at the end of the job."""
    await _report(services, caller, job_id)
    path = await asyncio.to_thread(services.storage.files(job_id).local, "report.png")
    if not path.is_file():
        where = f"{services.storage.where(job_id)}/report.png"
        raise ApiError(404, "no_plot", f"the plot of {job_id} is no longer there: {where}")
    return FileResponse(path, media_type="image/png")


@router.get(
    "/trace",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/json": {}}}, **documented(401, 404, 429)},
)
async def show_trace(job_id: JobId, caller: Viewer, services: ServicesDep) -> StreamingResponse:
    """Who did what when, for trace viewers such as https://ui.perfetto.dev, in the Trace Event
    Format; ``otherData`` sums it up. Of a job that runs: its steps so far."""
    job = await read_job(services, caller, job_id)
    folder = await asyncio.to_thread(services.storage.files(job_id).with_traces)
    if not await asyncio.to_thread(has_steps, folder):
        detail = f"{job_id} is {job.status} and has no trace: it begins when the first step is done"
        raise ApiError(404, "no_trace", detail)
    name = {"Content-Disposition": f'attachment; filename="{job_id}.trace.json"'}
    return StreamingResponse(chrome_trace(folder), media_type="application/json", headers=name)


async def _report(services: Services, caller: Caller, job_id: str) -> Path:
    """The last file that a job writes."""
    job = await read_job(services, caller, job_id)
    path = await asyncio.to_thread(services.storage.files(job_id).local, "report.json")
    if not path.is_file():
        raise ApiError(404, "no_report", f"{job_id} is {job.status} and has no report yet")
    return path
