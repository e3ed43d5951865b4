"""A job's events, numbered per job without gaps."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.store.tables import EventRow, JobRow


def append(
    session: AsyncSession,
    job: JobRow,
    event_type: str,
    data: dict[str, Any],
    now: datetime,
    run_number: int | None = None,
) -> None:
    """Add an event under the lock that the caller holds on ``job``."""
    session.add(numbered(job, event_type, data, now, run_number))


def numbered(
    job: JobRow, event_type: str, data: dict[str, Any], now: datetime, run_number: int | None = None
) -> EventRow:
    """The job's next event, for whoever holds the job.

    The number is counted in the job's row: a sequence of the database could commit out of order,
    and a reader that follows would skip events.
    """
    job.last_event += 1
    return EventRow(
        job_id=job.id,
        number=job.last_event,
        at=now,
        type=event_type,
        attempt=job.attempt,
        run_number=run_number,
        data=data,
    )


async def after(session: AsyncSession, job_id: str, number: int, limit: int) -> Sequence[EventRow]:
    """The events behind ``number``, oldest first."""
    query = (
        select(EventRow)
        .where(EventRow.job_id == job_id, EventRow.number > number)
        .order_by(EventRow.number)
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def last_words(session: AsyncSession, job_id: str, attempt: int) -> str:
    """Why a run said that it is lost; empty where it did not."""
    query = (
        select(EventRow.data)
        .where(EventRow.job_id == job_id, EventRow.attempt == attempt, EventRow.type == "lost")
        .order_by(EventRow.number.desc())
        .limit(1)
    )
    data = await session.scalar(query)
    return data["message"] if data else ""


async def known_numbers(
    session: AsyncSession, job_id: str, attempt: int, numbers: Iterable[int]
) -> set[int]:
    """Those of the run's own numbers that are stored already."""
    query = select(EventRow.run_number).where(
        EventRow.job_id == job_id, EventRow.attempt == attempt, EventRow.run_number.in_(numbers)
    )
    return {number for number in await session.scalars(query) if number is not None}
