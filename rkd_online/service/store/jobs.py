"""Jobs: made, found, listed and moved from status to status."""

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.state import TERMINAL, Status, check_move
from rkd_online.service.store import events, inserting
from rkd_online.service.store.dialect import Lock, hold, on_sqlite
from rkd_online.service.store.position import Position
from rkd_online.service.store.tables import AttemptRow, JobRow

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: sorts as it counts, and is safe in paths and actor names."""
FORM: Final = re.compile(rf"job-[{ALPHABET}]{{16}}")
"""Of an id. Nothing else reaches a database, which may not take every text, or a path."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a job is made of. ``cpus`` and ``gpus`` are what its actors reserve."""

    project: str
    name: str
    spec: dict[str, Any]
    cpus: float
    gpus: float
    labels: dict[str, str] = field(default_factory=dict)
    priority: int = 0
    budget: dict[str, Any] | None = None
    created_by: str | None = None


def new_job_id(now: datetime) -> str:
    """``job-``, ten characters of milliseconds, six random ones."""
    value = int(now.timestamp() * 1000) << 30 | secrets.randbits(30)
    return "job-" + "".join(ALPHABET[value >> shift & 31] for shift in range(75, -1, -5))


async def insert(session: AsyncSession, new: NewJob, now: datetime) -> JobRow:
    """A new job in the queue, for reading: to change it, lock it."""
    job = JobRow(
        id=new_job_id(now),
        project_id=new.project,
        name=new.name,
        labels=new.labels,
        status=Status.QUEUED,
        revision=1,
        priority=new.priority,
        spec=new.spec,
        budget=new.budget,
        cpus=new.cpus,
        gpus=new.gpus,
        created_at=now,
        created_by=new.created_by,
        ready_at=now,
        attempt=0,
        losses=0,
        last_event=0,
        run_seconds=0.0,
        tokens=0,
    )
    first = events.numbered(job, "status", {"status": Status.QUEUED}, now)
    await inserting.write(session, job)
    await inserting.write(session, first)
    return job


async def find(session: AsyncSession, job_id: str) -> JobRow | None:
    """The job, for reading."""
    return await session.get(JobRow, job_id) if FORM.fullmatch(job_id) else None


async def lock(session: AsyncSession, job_id: str) -> JobRow | None:
    """The job, with its row locked until the transaction ends: for every change and event."""
    if not FORM.fullmatch(job_id):
        return None
    query = select(JobRow).where(JobRow.id == job_id).with_for_update()
    return await session.scalar(query)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which jobs a list has: all of those that match every part that is given."""

    project: str | None = None
    statuses: Collection[Status] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    created_after: datetime | None = None


async def page(
    session: AsyncSession, wanted: Filter, after: Position | None, limit: int
) -> Sequence[JobRow]:
    """Jobs behind the position, newest first."""
    query = select(JobRow).order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit)
    if wanted.project is not None:
        query = query.where(JobRow.project_id == wanted.project)
    if wanted.statuses:
        query = query.where(JobRow.status.in_(wanted.statuses))
    for name, value in wanted.labels.items():
        query = query.where(JobRow.labels[name].as_string() == value)
    if wanted.created_after is not None:
        query = query.where(JobRow.created_at > wanted.created_after)
    if after is not None:
        query = query.where(tuple_(JobRow.created_at, JobRow.id) < after)
    return (await session.scalars(query)).all()


async def ready(session: AsyncSession, now: datetime) -> bool:
    """Whether any job could be started."""
    query = select(JobRow.id).where(JobRow.status == Status.QUEUED, JobRow.ready_at <= now).limit(1)
    return await session.scalar(query) is not None


async def lock_queue(session: AsyncSession) -> None:
    """Only one reconciler counts places at a time, until the transaction ends. SQLite has one
    writer anyway."""
    if not on_sqlite(session):
        await hold(session, Lock.QUEUE)


async def next_in_line(session: AsyncSession, now: datetime, limit: int) -> Sequence[JobRow]:
    """The jobs to start next, by priority and age, locked; what somebody else has locked is left
    out."""
    query = (
        select(JobRow)
        .where(JobRow.status == Status.QUEUED, JobRow.ready_at <= now)
        .order_by(JobRow.priority.desc(), JobRow.created_at, JobRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await session.scalars(query)).all()


async def reserved(session: AsyncSession) -> tuple[int, dict[str, float]]:
    """How many attempts may still hold a place on the cluster, and what they reserve by kind."""
    query = (
        select(func.count(), func.sum(JobRow.cpus), func.sum(JobRow.gpus))
        .join(AttemptRow, AttemptRow.job_id == JobRow.id)
        .where(AttemptRow.released_at.is_(None))
    )
    count, cpus, gpus = (await session.execute(query)).one()
    return count, {"CPU": cpus or 0.0, "GPU": gpus or 0.0}


async def holding(session: AsyncSession) -> Sequence[dict[str, Any]]:
    """The specs of the jobs whose attempts may still hold a place on the cluster."""
    query = (
        select(JobRow.spec)
        .join(AttemptRow, AttemptRow.job_id == JobRow.id)
        .where(AttemptRow.released_at.is_(None))
    )
    return (await session.scalars(query)).all()


async def of_project(
    session: AsyncSession, job_ids: Collection[str], project: str
) -> frozenset[str]:
    """Those of the jobs that belong to a project."""
    query = select(JobRow.id).where(JobRow.id.in_(job_ids), JobRow.project_id == project)
    return frozenset(await session.scalars(query))


def keep_waiting(session: AsyncSession, job: JobRow, reason: str, now: datetime) -> None:
    """Note why a locked job waits. The newest reason is in its record; an event tells when it is of
    another kind: the numbers behind a colon change from look to look."""
    if reason.partition(":")[0] != (job.waiting or "").partition(":")[0]:
        events.append(session, job, "waiting", {"reason": reason}, now)
    job.waiting = reason


def move(
    session: AsyncSession, job: JobRow, target: Status, now: datetime, reason: str | None = None
) -> None:
    """Change the status of a locked job, if the table allows it, and note it as an event."""
    check_move(job.status, target)
    job.status = target
    job.revision += 1
    job.waiting = None
    if target is Status.RUNNING and job.started_at is None:
        job.started_at = now
    if target in TERMINAL:
        job.finished_at = now
    if target is Status.FAILED:
        job.error = reason
    data = {"status": target} if reason is None else {"status": target, "reason": reason}
    events.append(session, job, "status", data, now)
