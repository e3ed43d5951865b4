"""Projects and their quotas."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BindParameter, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.state import ACTIVE, Status
from rkd_online.service.store.access_tables import ProjectRow
from rkd_online.service.store.columns import Base
from rkd_online.service.store.tables import JobRow


@dataclass(frozen=True, slots=True)
class Quota:
    """What a project may have; None is no limit."""

    project: str
    max_active_jobs: int | None
    max_queued_jobs: int | None
    max_gpus: float | None


_TABLE: Final = Base.metadata.tables[ProjectRow.__tablename__]
_PROJECT: Final[BindParameter[str]] = bindparam("its_id")
_QUOTA: Final = select(
    _TABLE.c.id, _TABLE.c.max_active_jobs, _TABLE.c.max_queued_jobs, _TABLE.c.max_gpus
).where(_TABLE.c.id == _PROJECT)
"""Made once, and read past the session: every submission asks."""


async def quota(session: AsyncSession, project: str) -> Quota | None:
    """The quota of the project; None where there is no such project."""
    found = (await session.execute(_QUOTA, {"its_id": project})).one_or_none()
    return None if found is None else Quota(*found)


async def find(session: AsyncSession, project: str) -> ProjectRow | None:
    """The project, for reading."""
    return await session.get(ProjectRow, project)


async def lock(session: AsyncSession, project: str) -> ProjectRow | None:
    """The project, with its row locked: for its quotas, and for what they count."""
    return await session.scalar(
        select(ProjectRow).where(ProjectRow.id == project).with_for_update()
    )


async def page(
    session: AsyncSession, after: str | None, limit: int, *, only: str | None
) -> Sequence[ProjectRow]:
    """Projects behind the one named ``after``, by name; ``only`` one of them, or all."""
    query = select(ProjectRow).order_by(ProjectRow.id).limit(limit)
    if only is not None:
        query = query.where(ProjectRow.id == only)
    if after is not None:
        query = query.where(ProjectRow.id > after)
    return (await session.scalars(query)).all()


async def insert(session: AsyncSession, project: str, now: datetime) -> ProjectRow:
    """A project without limits."""
    row = ProjectRow(id=project, created_at=now)
    session.add(row)
    await session.flush()
    return row


async def quotas(session: AsyncSession) -> dict[str, ProjectRow]:
    """Every project by its name, for reading."""
    return {row.id: row for row in await session.scalars(select(ProjectRow))}


async def queued(session: AsyncSession, project: str) -> int:
    """Jobs of a project that wait to be started."""
    query = (
        select(func.count())
        .select_from(JobRow)
        .where(JobRow.project_id == project, JobRow.status == Status.QUEUED)
    )
    return await session.scalar(query) or 0


async def in_use(session: AsyncSession) -> dict[str, tuple[int, float]]:
    """Active jobs and their GPUs, by project."""
    query = (
        select(JobRow.project_id, func.count(), func.sum(JobRow.gpus))
        .where(JobRow.status.in_(ACTIVE))
        .group_by(JobRow.project_id)
    )
    rows = await session.execute(query)
    return {project: (count, float(gpus)) for project, count, gpus in rows}
