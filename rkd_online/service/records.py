"""Database rows as the API shows them."""

from rkd_online.service.reconcile.budgets import HOUR
from rkd_online.service.schemas.access import AuditRecord, KeyRecord, ProjectRecord, Quota, Usage
from rkd_online.service.schemas.job import Budget, Checkpoint, JobRecord, Links, Progress, Spent
from rkd_online.service.services import Services
from rkd_online.service.store.access_tables import AuditRow, KeyRow, ProjectRow
from rkd_online.service.store.tables import JobRow


def job_record(services: Services, job: JobRow) -> JobRecord:
    """A job with its links."""
    return JobRecord(
        id=job.id,
        project=job.project_id,
        name=job.name,
        labels=job.labels,
        status=job.status,
        revision=job.revision,
        priority=job.priority,
        spec=job.spec,
        changes=job.changes["number"] if job.changes else 0,
        budget=Budget.model_validate(job.budget) if job.budget else None,
        spent=Spent(
            wall_seconds=job.run_seconds,
            tokens=job.tokens,
            gpu_hours=job.gpus * job.run_seconds / HOUR,
        ),
        created_at=job.created_at,
        created_by=job.created_by,
        started_at=job.started_at,
        finished_at=job.finished_at,
        waiting=job.waiting,
        attempt=job.attempt,
        losses=job.losses,
        progress=Progress.model_validate(job.progress) if job.progress else None,
        checkpoint=Checkpoint.model_validate(job.checkpoint) if job.checkpoint else None,
        error=_error(services, job),
        links=_links(services, job),
    )


def key_record(row: KeyRow) -> KeyRecord:
    """A key without its secret."""
    return KeyRecord(
        id=row.id,
        name=row.name,
        project=row.project_id,
        scope=row.scope,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def project_record(row: ProjectRow, usage: Usage) -> ProjectRecord:
    """A project with what it uses."""
    quota = Quota(
        max_active_jobs=row.max_active_jobs,
        max_queued_jobs=row.max_queued_jobs,
        max_gpus=row.max_gpus,
    )
    return ProjectRecord(
        id=row.id, created_at=row.created_at, revision=row.revision, quota=quota, usage=usage
    )


def audit_record(row: AuditRow) -> AuditRecord:
    """An entry of the audit."""
    return AuditRecord(
        number=row.number,
        at=row.at,
        actor=row.actor,
        project=row.project_id,
        action=row.action,
        target=row.target,
        address=row.address,
        request_id=row.request_id,
        data=row.data,
    )


def _error(services: Services, job: JobRow) -> str | None:
    """A job that has failed stays so, but its weights can be gone on from. Those of step 0 are the
    model it was given, and a run that nobody heard may have pruned what it reported before."""
    if job.error is None or not job.checkpoint or job.checkpoint["step"] == 0:
        return job.error
    if services.settings.object_store:
        return (
            f"{job.error}\nThe newest checkpoint is of step {job.checkpoint['step']}: download it "
            "with `rkd checkpoints download`, and submit a job with policy.model set to it to "
            "go on from its weights"
        )
    path = services.settings.job_dir(job.id) / job.checkpoint["path"]
    if not path.is_dir():
        return job.error
    return (
        f"{job.error}\nThe newest checkpoint is {path}: submit a job with policy.model set to it "
        "to go on from its weights"
    )


def _links(services: Services, job: JobRow) -> Links:
    here = f"/v1/jobs/{job.id}"
    run = services.launcher.dashboard(job.id, job.attempt) if job.attempt else ""
    return Links(
        events=f"{here}/events",
        stream=f"{here}/events/stream",
        report=f"{here}/report",
        metrics=f"{here}/metrics",
        rollouts=f"{here}/rollouts",
        checkpoints=f"{here}/checkpoints",
        logs=f"{here}/logs",
        data=services.storage.where(job.id),
        ray_dashboard=run or None,
        ray_actors=f"{run.partition('/#/')[0]}/#/actors" if run else None,
        grafana=services.settings.grafana_url.replace("{job}", job.id) or None,
    )
