"""How the jobs stand, in one query that reads indexes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from rkd_online.service.state import Status
from rkd_online.service.store.tables import AttemptRow, JobRow


@dataclass(frozen=True, slots=True)
class Standing:
    """Jobs by status; of those that could start how many wait and for how many seconds the first
    of them has; and for how many the quietest attempt that runs has been silent."""

    jobs: Mapping[Status, int]
    waiting: int
    oldest_wait: float
    longest_silence: float


async def read(session: AsyncSession, now: datetime) -> Standing:
    """As it is at this moment."""
    rows = (await session.execute(query(now))).all()
    counts = {status: count for status, count, *_ in rows}
    _, _, waiting, ready_at, heartbeat_at = rows[0] if rows else (None, 0, 0, None, None)
    return Standing(
        jobs={status: counts.get(status, 0) for status in Status},
        waiting=waiting,
        oldest_wait=_seconds(ready_at, now),
        longest_silence=_seconds(heartbeat_at, now),
    )


def query(now: datetime) -> Select[Any]:
    """A row for each status that any job has; what is asked of all of them stands in every row."""
    queued = aliased(JobRow)
    ready = (queued.status == Status.QUEUED, queued.ready_at <= now)
    running = (AttemptRow.released_at.is_(None), AttemptRow.ended_at.is_(None))
    return select(
        JobRow.status,
        func.count(),
        select(func.count()).select_from(queued).where(*ready).scalar_subquery(),
        select(func.min(queued.ready_at)).where(*ready).scalar_subquery(),
        select(func.min(AttemptRow.heartbeat_at)).where(*running).scalar_subquery(),
    ).group_by(JobRow.status)


def _seconds(moment: datetime | None, now: datetime) -> float:
    """Clocks of replicas differ: what is not yet is now."""
    return max(0.0, (now - moment).total_seconds()) if moment is not None else 0.0
