"""Requests about jobs and their events."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal

from rkd_online.client.request import Call, change, get, given, path
from rkd_online.service.schemas.answer import Page
from rkd_online.service.schemas.event import Event
from rkd_online.service.schemas.job import Budget, JobRecord, Validation
from rkd_online.service.state import Status


class Unchanged(Enum):
    """What a change leaves as it is, where None says something."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


def submit(
    spec: Mapping[str, Any],
    *,
    project: str | None = None,
    labels: Mapping[str, str] | None = None,
    priority: int | None = None,
    budget: Budget | None = None,
    idempotency_key: str | None = None,
) -> Call[JobRecord]:
    """Queue a job."""
    about = given(project=project, labels=labels, priority=priority, budget=budget)
    return change("POST", JobRecord, path("jobs"), {**spec, **about}, key=idempotency_key)


def validate(
    spec: Mapping[str, Any],
    *,
    project: str | None = None,
    labels: Mapping[str, str] | None = None,
    priority: int | None = None,
    budget: Budget | None = None,
) -> Call[Validation]:
    """Check a job, see its plan and whether it could start, without queueing it."""
    about = given(project=project, labels=labels, priority=priority, budget=budget)
    return change("POST", Validation, path("jobs:validate", safe=":"), {**spec, **about})


def list_jobs(
    *,
    status: Status | Iterable[Status] | None = None,
    project: str | None = None,
    labels: Mapping[str, str] | None = None,
    created_after: datetime | None = None,
    after: str | None = None,
    limit: int = 20,
) -> Call[Page[JobRecord]]:
    """Jobs, newest first: those of any of the statuses that have all of the labels."""
    statuses = [status] if isinstance(status, Status) else [*status] if status else None
    pairs = [f"{name}={value}" for name, value in labels.items()] if labels else None
    return get(
        Page[JobRecord],
        path("jobs"),
        status=statuses,
        project=project,
        label=pairs,
        created_after=created_after,
        after=after,
        limit=limit,
    )


def get_job(job_id: str) -> Call[JobRecord]:
    """One job."""
    return get(JobRecord, path("jobs", job_id))


def change_job(
    job: JobRecord,
    *,
    learning_rate: float | None = None,
    alpha: float | None = None,
    clip_low: float | None = None,
    clip_high: float | None = None,
    steps: int | None = None,
    evaluation_every: int | None = None,
    labels: Mapping[str, str] | None = None,
    priority: int | None = None,
    budget: Budget | Literal[Unchanged.UNCHANGED] | None = UNCHANGED,
    idempotency_key: str | None = None,
) -> Call[JobRecord]:
    """Change a job as it was read: where somebody has changed it since, this is refused with
    ``revision_changed``. ``labels`` take the place of all labels; a ``budget`` of None is none."""
    values = given(
        learning_rate=learning_rate,
        alpha=alpha,
        clip_low=clip_low,
        clip_high=clip_high,
        steps=steps,
        evaluation_every=evaluation_every,
        labels=labels,
        priority=priority,
    )
    if budget is None:
        values["budget"] = None
    elif budget is not UNCHANGED:
        values["budget"] = budget.model_dump(mode="json")
    where = path("jobs", job.id)
    return change("PATCH", JobRecord, where, values, key=idempotency_key, revision=job.revision)


def cancel(
    job_id: str, *, revision: int | None = None, idempotency_key: str | None = None
) -> Call[JobRecord]:
    """Stop a job; again does nothing."""
    return _act(job_id, "cancel", revision, idempotency_key)


def pause(
    job_id: str, *, revision: int | None = None, idempotency_key: str | None = None
) -> Call[JobRecord]:
    """Give a job's place on the cluster back, behind a checkpoint; again does nothing."""
    return _act(job_id, "pause", revision, idempotency_key)


def resume(
    job_id: str, *, revision: int | None = None, idempotency_key: str | None = None
) -> Call[JobRecord]:
    """Queue a paused job again; it goes on from its checkpoint."""
    return _act(job_id, "resume", revision, idempotency_key)


def list_events(job_id: str, after: int = 0, limit: int = 100) -> Call[Page[Event]]:
    """Events behind number ``after``, oldest first."""
    return get(Page[Event], path("jobs", job_id, "events"), after=after, limit=limit)


def _act(job_id: str, action: str, revision: int | None, key: str | None) -> Call[JobRecord]:
    return change("POST", JobRecord, path("jobs", job_id, action), key=key, revision=revision)
