"""Jobs: submit, check, look, list."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter, ValidationError
from structlog.contextvars import bind_contextvars

from rkd_online.service.access.authentication import Submitter, Viewer
from rkd_online.service.access.caller import Caller
from rkd_online.service.queueing import check_queue, never_fits, verdict
from rkd_online.service.reconcile.needs import needs_of
from rkd_online.service.records import job_record
from rkd_online.service.requests import JobRequest, Labels, Moment, ProjectName
from rkd_online.service.routes.access import JobId, read_job
from rkd_online.service.schemas.answer import Page
from rkd_online.service.schemas.job import JobRecord, Validation
from rkd_online.service.services import ServicesDep
from rkd_online.service.state import Status
from rkd_online.service.store import jobs
from rkd_online.service.store.access_tables import DEFAULT_PROJECT
from rkd_online.service.web.cursor import cursor_of, parse_cursor
from rkd_online.service.web.once import ChangeDep
from rkd_online.service.web.problems import ApiError, documented
from rkd_online.service.web.revision import tag
from rkd_online.service.web.strict_json import StrictRoute
from rkd_online.spec.plan import describe_plan

router = APIRouter(prefix="/v1", tags=["jobs"], route_class=StrictRoute)

Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]
LABELS: TypeAdapter[dict[str, str]] = TypeAdapter(Labels)
ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Its revision."}}


@router.post(
    "/jobs",
    status_code=201,
    response_model=JobRecord,
    responses={201: {"headers": ETAG}, **documented(401, 403, 404, 409, 413, 429)},
)
async def submit_job(
    request: JobRequest, caller: Submitter, change: ChangeDep, services: ServicesDep
) -> Response:
    """Queue a job."""
    project = caller.choose(request.project, DEFAULT_PROJECT)
    await services.names.admit(request, project)
    needs = needs_of(request, services.settings.role_label)
    if problem := await never_fits(services, request, needs):
        raise ApiError(422, "does_not_fit", problem)
    new = jobs.NewJob(
        project=project,
        name=request.name,
        spec=request.spec(),
        cpus=needs.total("CPU"),
        gpus=needs.total("GPU"),
        labels=request.labels,
        priority=request.priority,
        budget=request.budget.model_dump() if request.budget else None,
        created_by=caller.id,
    )
    async with change.transaction() as session:
        await check_queue(session, new)
        job = await jobs.insert(session, new, services.now())
        bind_contextvars(job_id=job.id, project=project)
        await change.note(session, "job.submit", job.id, project=project, name=job.name)
        where = {"Location": f"/v1/jobs/{job.id}", "ETag": tag(job.revision)}
        answer = change.answer(201, job_record(services, job), where)
    services.reconciler.wake()
    return answer


@router.post("/jobs:validate", responses=documented(401, 403, 404, 413, 429))
async def validate_job(request: JobRequest, caller: Viewer, services: ServicesDep) -> Validation:
    """Check a job and describe what it would do, without queueing it."""
    project = caller.choose(request.project, DEFAULT_PROJECT)
    await services.names.admit(request, project)
    plan = await asyncio.to_thread(describe_plan, request)
    needs = needs_of(request, services.settings.role_label)
    return Validation(
        spec=request.spec(),
        plan=plan,
        cpus=needs.total("CPU"),
        gpus=needs.total("GPU"),
        verdict=await verdict(services, project, request, needs),
    )


@router.get("/jobs", responses=documented(401, 404, 429))
async def list_jobs(
    services: ServicesDep,
    caller: Viewer,
    project: ProjectName | None = None,
    status: Annotated[list[Status] | None, Query()] = None,
    label: Annotated[
        list[str] | None, Query(description="`NAME=VALUE`; all that are given must match.")
    ] = None,
    created_after: Moment | None = None,
    after: After = None,
    limit: Limit = 20,
) -> Page[JobRecord]:
    """Jobs, newest first."""
    wanted = jobs.Filter(
        project=_listed(caller, project),
        statuses=status or (),
        labels=_labels(label or []),
        created_after=created_after,
    )
    async with services.database.read() as session:
        found = await jobs.page(session, wanted, parse_cursor(after), limit + 1)
    shown = found[:limit]
    has_more = len(found) > limit
    return Page(
        data=[job_record(services, job) for job in shown],
        has_more=has_more,
        next=cursor_of(shown[-1].created_at, shown[-1].id) if has_more else None,
    )


@router.get("/jobs/{job_id}", responses={200: {"headers": ETAG}, **documented(401, 404, 429)})
async def show_job(
    job_id: JobId, caller: Viewer, services: ServicesDep, response: Response
) -> JobRecord:
    """One job."""
    job = await read_job(services, caller, job_id)
    response.headers["ETag"] = tag(job.revision)
    return job_record(services, job)


def _listed(caller: Caller, project: str | None) -> str | None:
    """The project to list; None is all that the caller sees, which then is all there are."""
    return caller.project if project is None else caller.choose(project, project)


def _labels(given: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    try:
        return LABELS.validate_python({name: value for name, _, value in pairs})
    except ValidationError as error:
        raise ApiError(
            422, "invalid_label", f"label={given} should each be NAME=VALUE as a job has them"
        ) from error
