"""Answers to requests that carry an idempotency key, kept for a day."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.store.access_tables import AnswerRow
from rkd_online.service.store.dialect import on_sqlite

KEPT: Final = timedelta(hours=24)


async def claim(
    session: AsyncSession, owner: str, key: str, request_sha256: str, now: datetime
) -> bool:
    """Whether this request is the first with its key, or the first after a day. One that comes
    while the first is under way waits here for the end of the first one's transaction."""
    insert = insert_sqlite if on_sqlite(session) else insert_postgresql
    new = {"request_sha256": request_sha256, "created_at": now, "status": 0}
    statement = insert(AnswerRow).values(owner=owner, key=key, headers={}, body="", **new)
    again = statement.on_conflict_do_update(
        index_elements=[AnswerRow.owner, AnswerRow.key],
        set_=new,
        where=AnswerRow.created_at < now - KEPT,
    )
    return await session.scalar(again.returning(AnswerRow.key)) is not None


async def keep(
    session: AsyncSession, owner: str, key: str, status: int, headers: dict[str, str], body: str
) -> None:
    """What a request that was claimed is answered with."""
    await session.execute(
        update(AnswerRow)
        .where(AnswerRow.owner == owner, AnswerRow.key == key)
        .values(status=status, headers=headers, body=body)
    )


async def find(session: AsyncSession, owner: str, key: str) -> AnswerRow | None:
    """The answer that was given."""
    query = select(AnswerRow).where(AnswerRow.owner == owner, AnswerRow.key == key)
    return await session.scalar(query)


async def forget(session: AsyncSession, now: datetime) -> None:
    """Drop the answers that are too old to be given again."""
    await session.execute(delete(AnswerRow).where(AnswerRow.created_at < now - KEPT))
