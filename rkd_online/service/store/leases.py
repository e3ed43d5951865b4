"""Which replica looks after which attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.store.tables import AttemptRow, JobRow


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds it, and for how long it holds without being renewed."""

    owner: str
    term: timedelta


async def take(
    session: AsyncSession, lease: Lease, now: datetime, *, alone: bool
) -> Sequence[tuple[JobRow, AttemptRow]]:
    """Renew what is held, take what nobody holds, and return all of it: every attempt that may
    still have a place on the cluster, with its job. One that is ``alone`` takes also what a process
    before it held."""
    free = or_(
        AttemptRow.lease_owner == lease.owner,
        AttemptRow.lease_until.is_(None),
        AttemptRow.lease_until < now,
        literal(alone),
    )
    await session.execute(
        update(AttemptRow)
        .where(AttemptRow.released_at.is_(None), free)
        .values(lease_owner=lease.owner, lease_until=now + lease.term)
    )
    query = (
        select(JobRow, AttemptRow)
        .join(AttemptRow, AttemptRow.job_id == JobRow.id)
        .where(AttemptRow.released_at.is_(None), AttemptRow.lease_owner == lease.owner)
        .order_by(JobRow.created_at, AttemptRow.number)
    )
    return [(job, attempt) for job, attempt in await session.execute(query)]


async def release(session: AsyncSession, lease: Lease, now: datetime) -> None:
    """Let another replica take over at once."""
    await session.execute(
        update(AttemptRow)
        .where(AttemptRow.released_at.is_(None), AttemptRow.lease_owner == lease.owner)
        .values(lease_until=now)
    )
