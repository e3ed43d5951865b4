"""Where runs report: one attempt each, with a token that is good for that attempt alone."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from structlog.contextvars import bind_contextvars

from rkd_online.service import intake
from rkd_online.service.routes.access import JobId
from rkd_online.service.run_events import Receipt, RunEvents
from rkd_online.service.services import ServicesDep
from rkd_online.service.state import ACTIVE
from rkd_online.service.store import attempts, jobs
from rkd_online.service.web.problems import ApiError, documented
from rkd_online.service.web.strict_json import StrictRoute

router = APIRouter(prefix="/v1/internal", tags=["runs"], route_class=StrictRoute)

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
bearer = HTTPBearer(
    auto_error=False,
    scheme_name="AttemptToken",
    description="The token that a run was started with: good for its own attempt alone.",
)
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


@router.post("/jobs/{job_id}/attempts/{number}/events", responses=documented(401, 409, 413))
async def report_events(
    job_id: JobId, number: Number, batch: RunEvents, bearer: Bearer, services: ServicesDep
) -> Receipt:
    """Take a run's events, each number once. An empty list is a heartbeat."""
    async with services.database.write() as session:
        job = await jobs.lock(session, job_id)
        attempt = await attempts.find(session, job_id, number)
        token = bearer.credentials if bearer else ""
        if job is None or attempt is None or not attempts.holds(attempt, token):
            raise ApiError(
                401, "wrong_token", f"this is not the token of attempt {number} of {job_id}"
            )
        bind_contextvars(job_id=job.id, attempt=number, project=job.project_id)
        receipt = await intake.accept(session, job, attempt, batch, services.now())
    if receipt.accepted:
        services.bell.ring(job_id)
    if receipt.status not in ACTIVE:
        services.reconciler.wake()
    return receipt
