"""Jobs: made, found, listed and moved from status to status."""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.state import TERMINAL, Status, check_move
from rkd_online.service.store import events
from rkd_online.service.store.models import AttemptRow, JobRow

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: sorts as it counts, and is safe in paths and actor names."""

Cursor = tuple[datetime, str]


def new_job_id(now: datetime) -> str:
    """``job-``, ten characters of milliseconds, six random ones."""
    value = int(now.timestamp() * 1000) << 30 | secrets.randbits(30)
    return "job-" + "".join(ALPHABET[value >> shift & 31] for shift in range(75, -1, -5))


async def insert(session: AsyncSession, name: str, spec: dict[str, Any], now: datetime) -> JobRow:
    """A new job at the end of the queue."""
    job = JobRow(
        id=new_job_id(now),
        name=name,
        status=Status.QUEUED,
        spec=spec,
        created_at=now,
        attempt=0,
        last_event=0,
    )
    session.add(job)
    await session.flush()
    events.append(session, job, "status", {"status": Status.QUEUED}, now)
    return job


async def find(session: AsyncSession, job_id: str) -> JobRow | None:
    """The job, for reading."""
    return await session.get(JobRow, job_id)


async def lock(session: AsyncSession, job_id: str) -> JobRow | None:
    """The job, with its row locked until the transaction ends: for every change and event."""
    query = select(JobRow).where(JobRow.id == job_id).with_for_update()
    return await session.scalar(query)


async def page(
    session: AsyncSession, statuses: Collection[Status], after: Cursor | None, limit: int
) -> Sequence[JobRow]:
    """Jobs behind the cursor, newest first; no statuses means all."""
    query = select(JobRow).order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit)
    if statuses:
        query = query.where(JobRow.status.in_(statuses))
    if after is not None:
        query = query.where(tuple_(JobRow.created_at, JobRow.id) < after)
    return (await session.scalars(query)).all()


async def claim(session: AsyncSession, limit: int) -> Sequence[JobRow]:
    """The next jobs to start, oldest first, locked; what somebody else has locked is left out."""
    query = (
        select(JobRow)
        .where(JobRow.status == Status.QUEUED)
        .order_by(JobRow.created_at, JobRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await session.scalars(query)).all()


async def holding(session: AsyncSession) -> Sequence[tuple[JobRow, AttemptRow]]:
    """Every attempt that may still hold a place on the cluster, with its job."""
    query = (
        select(JobRow, AttemptRow)
        .join(AttemptRow, AttemptRow.job_id == JobRow.id)
        .where(AttemptRow.released_at.is_(None))
        .order_by(JobRow.created_at, AttemptRow.number)
    )
    return [(job, attempt) for job, attempt in await session.execute(query)]


def move(
    session: AsyncSession, job: JobRow, target: Status, now: datetime, reason: str | None = None
) -> None:
    """Change the status of a locked job, if the table allows it, and note it as an event."""
    check_move(job.status, target)
    job.status = target
    if target is Status.RUNNING and job.started_at is None:
        job.started_at = now
    if target in TERMINAL:
        job.finished_at = now
    if target is Status.FAILED:
        job.error = reason
    data = {"status": target} if reason is None else {"status": target, "reason": reason}
    events.append(session, job, "status", data, now)
