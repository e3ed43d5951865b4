"""The audit: appended to in the transaction of what it tells, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.store import inserting
from rkd_online.service.store.access_tables import AuditRow


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, from where, in which request."""

    id: str
    address: str
    request_id: str


async def note(
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    action: str,
    target: str,
    *,
    project: str | None,
    **data: Any,
) -> None:
    """Add an entry."""
    entry = AuditRow(
        at=now,
        actor=actor.id,
        project_id=project,
        action=action,
        target=target,
        address=actor.address,
        request_id=actor.request_id,
        data=data,
    )
    await inserting.write(session, entry)


async def page(
    session: AsyncSession, project: str | None, before: int | None, limit: int
) -> Sequence[AuditRow]:
    """Entries older than number ``before``, newest first; of one project, or of all."""
    query = select(AuditRow).order_by(AuditRow.number.desc()).limit(limit)
    if project is not None:
        query = query.where(AuditRow.project_id == project)
    if before is not None:
        query = query.where(AuditRow.number < before)
    return (await session.scalars(query)).all()
