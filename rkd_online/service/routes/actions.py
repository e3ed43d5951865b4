"""What can be done with a job: cancel, pause, resume, change."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from rkd_online.service.access.authentication import Submitter
from rkd_online.service.amending import amend
from rkd_online.service.reconcile.budgets import spent
from rkd_online.service.records import job_record
from rkd_online.service.requests import JobPatch
from rkd_online.service.routes.access import JobId, lock_job, read_job
from rkd_online.service.routes.jobs import ETAG
from rkd_online.service.schemas.job import JobRecord
from rkd_online.service.services import Services, ServicesDep
from rkd_online.service.state import Action
from rkd_online.service.store import attempts
from rkd_online.service.web.once import Change, ChangeDep
from rkd_online.service.web.problems import ApiError, documented
from rkd_online.service.web.revision import IfMatch, check, require, tag
from rkd_online.service.web.strict_json import StrictRoute
from rkd_online.spec.changes import changed_spec
from rkd_online.spec.check import check_spec
from rkd_online.spec.job import JobSpec

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"], route_class=StrictRoute)

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": JobRecord, "description": "It was so already", "headers": ETAG},
    202: {"headers": ETAG},
    **documented(401, 403, 404, 409, 412, 413, 429),
}
REASONS = {
    Action.CANCEL: "cancel was asked for",
    Action.PAUSE: "pause was asked for",
    Action.RESUME: "resume was asked for",
}


@router.post("/cancel", status_code=202, response_model=JobRecord, responses=RESPONSES)
async def cancel_job(
    job_id: JobId,
    caller: Submitter,
    change: ChangeDep,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> Response:
    """Stop a job; one that waits is cancelled at once, one that runs when its run has ended."""
    return await _act(services, change, job_id, Action.CANCEL, if_match)


@router.post("/pause", status_code=202, response_model=JobRecord, responses=RESPONSES)
async def pause_job(
    job_id: JobId,
    caller: Submitter,
    change: ChangeDep,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> Response:
    """Give the job's place on the cluster back, after a checkpoint of the step under way."""
    return await _act(services, change, job_id, Action.PAUSE, if_match)


@router.post("/resume", status_code=202, response_model=JobRecord, responses=RESPONSES)
async def resume_job(
    job_id: JobId,
    caller: Submitter,
    change: ChangeDep,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> Response:
    """Queue a paused job again; it goes on from its checkpoint."""
    return await _act(services, change, job_id, Action.RESUME, if_match)


@router.patch(
    "",
    response_model=JobRecord,
    responses={200: {"headers": ETAG}, **documented(401, 403, 404, 409, 412, 413, 428, 429)},
)
async def change_job(
    job_id: JobId,
    request: JobPatch,
    caller: Submitter,
    change: ChangeDep,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> Response:
    """Change a job that waits or runs. A run takes new values of its spec with its next step and
    tells so by the event ``changed``."""
    if (asked := request.changes) is not None:
        seen = await read_job(services, caller, job_id)
        spec = changed_spec(JobSpec.model_validate(seen.spec), asked)
        await asyncio.to_thread(check_spec, spec)
    async with change.transaction() as session:
        job = await lock_job(session, change.caller, job_id)
        require(if_match, job.revision, job_id)
        amend(session, job, request, services.now())
        told = request.model_dump(mode="json", exclude_unset=True)
        await change.note(session, "job.change", job_id, project=job.project_id, **told)
        headers = {"ETag": tag(job.revision)}
        answer = change.answer(200, job_record(services, job), headers)
    services.bell.ring(job_id)
    services.reconciler.wake()
    return answer


async def _act(
    services: Services, change: Change, job_id: str, action: Action, if_match: str | None
) -> Response:
    async with change.transaction() as session:
        job = await lock_job(session, change.caller, job_id)
        check(if_match, job.revision, job_id)
        if action is Action.RESUME and (problem := spent(job, None, services.now())):
            raise ApiError(409, "budget_spent", f"{problem}: raise it with PATCH first")
        done = await attempts.act(session, job, action, services.now(), REASONS[action])
        if done:
            await change.note(session, f"job.{action}", job_id, project=job.project_id)
        headers = {"ETag": tag(job.revision)}
        answer = change.answer(202 if done else 200, job_record(services, job), headers)
    services.bell.ring(job_id)
    services.reconciler.wake()
    return answer
