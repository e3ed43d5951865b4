"""Jobs as a caller may see them: what belongs to another project is not there."""

from typing import Annotated

from fastapi import Path
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import bind_contextvars

from rkd_online.service.access.caller import Caller
from rkd_online.service.services import Services
from rkd_online.service.store import jobs
from rkd_online.service.store.tables import JobRow
from rkd_online.service.web.problems import no_such_job

JobId = Annotated[str, Path(max_length=40, pattern=r"^[A-Za-z0-9-]+$", description="Its id.")]
KeyId = Annotated[str, Path(max_length=16, pattern=r"^[A-Za-z0-9]+$", description="Its id.")]


async def read_job(services: Services, caller: Caller, job_id: str) -> JobRow:
    """The job, for reading; raises the 404 of a job that is not there for this caller."""
    async with services.database.read() as session:
        return visible(caller, await jobs.find(session, job_id), job_id)


async def lock_job(session: AsyncSession, caller: Caller, job_id: str) -> JobRow:
    """The job, locked for a change; raises the same."""
    return visible(caller, await jobs.lock(session, job_id), job_id)


def visible(caller: Caller, job: JobRow | None, job_id: str) -> JobRow:
    """The job, if it is there for this caller."""
    if job is None or not caller.sees(job.project_id):
        raise no_such_job(job_id)
    bind_contextvars(job_id=job.id, project=job.project_id)
    return job
