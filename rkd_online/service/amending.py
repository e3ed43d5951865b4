"""A change of a job, applied to its row."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.requests import JobPatch
from rkd_online.service.state import TERMINAL
from rkd_online.service.store import events
from rkd_online.service.store.tables import JobRow
from rkd_online.service.web.problems import ApiError
from rkd_online.spec.changes import Changes, ChangesSoFar, changed_spec, merged
from rkd_online.spec.job import JobSpec


def amend(session: AsyncSession, job: JobRow, patch: JobPatch, now: datetime) -> None:
    """Change a locked job. Raises SpecError where the changed job could not run, and ApiError for
    new values of a job that is over; its labels can still be changed."""
    asked = patch.changes
    others = patch.model_fields_set - {"labels"}
    if others and job.status in TERMINAL:
        raise ApiError(
            409, "job_is_over", f"{job.id} is {job.status}: only its labels can be changed"
        )
    if asked is not None:
        _change_spec(session, job, asked, now)
    if patch.labels is not None:
        job.labels = patch.labels
    if patch.priority is not None:
        job.priority = patch.priority
    if "budget" in patch.model_fields_set:
        job.budget = patch.budget.model_dump() if patch.budget else None
    job.revision += 1


def _change_spec(session: AsyncSession, job: JobRow, asked: Changes, now: datetime) -> None:
    spec = changed_spec(JobSpec.model_validate(job.spec), asked)
    before = ChangesSoFar.model_validate(job.changes) if job.changes else None
    number = before.number + 1 if before else 1
    values = merged(before.values, asked) if before else asked
    job.spec = spec.model_dump(mode="json")
    job.changes = ChangesSoFar(number=number, values=values).model_dump(mode="json")
    events.append(
        session, job, "change_asked", {"number": number, "values": asked.model_dump()}, now
    )
