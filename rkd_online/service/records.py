"""Database rows as the API shows them."""

from rkd_online.service.schemas import Checkpoint, Event, JobRecord, Links, Progress
from rkd_online.service.services import Services
from rkd_online.service.store.models import EventRow, JobRow


def job_record(services: Services, job: JobRow) -> JobRecord:
    """A job with its links."""
    return JobRecord(
        id=job.id,
        name=job.name,
        status=job.status,
        spec=job.spec,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        attempt=job.attempt,
        progress=Progress.model_validate(job.progress) if job.progress else None,
        checkpoint=Checkpoint.model_validate(job.checkpoint) if job.checkpoint else None,
        error=_error(services, job),
        links=_links(services, job),
    )


def event_record(row: EventRow) -> Event:
    """An event."""
    return Event(number=row.number, at=row.at, type=row.type, attempt=row.attempt, data=row.data)


def _error(services: Services, job: JobRow) -> str | None:
    """A job that has failed stays so, but its weights can be gone on from. Those of step 0 are the
    model it was given, and a run that nobody heard may have pruned what it reported before."""
    if job.error is None or not job.checkpoint or job.checkpoint["step"] == 0:
        return job.error
    path = services.settings.job_dir(job.id) / job.checkpoint["path"]
    if not path.is_dir():
        return job.error
    return (
        f"{job.error}\nThe newest checkpoint is {path}: submit a job with policy.model set to it "
        "to go on from its weights"
    )


def _links(services: Services, job: JobRow) -> Links:
    here = f"/v1/jobs/{job.id}"
    return Links(
        events=f"{here}/events",
        stream=f"{here}/events/stream",
        report=f"{here}/report",
        data=str(services.settings.job_dir(job.id)),
        ray_dashboard=services.launcher.dashboard(job.id, job.attempt) if job.attempt else None,
    )
