"""API keys: made, found, listed, revoked."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.access.scope import Scope
from rkd_online.service.store.access_tables import KeyRow
from rkd_online.service.store.dialect import Lock, hold, on_sqlite
from rkd_online.service.store.position import Position


async def lock_first(session: AsyncSession) -> None:
    """Only one replica looks whether there is a key, and makes the first, until the transaction
    ends. SQLite has one writer anyway."""
    if not on_sqlite(session):
        await hold(session, Lock.FIRST_KEY)


async def any_key(session: AsyncSession) -> bool:
    """Whether one was ever made."""
    return await session.scalar(select(KeyRow.id).limit(1)) is not None


async def insert(
    session: AsyncSession,
    key_id: str,
    digest: str,
    *,
    name: str,
    project: str | None,
    scope: Scope,
    now: datetime,
    created_by: str | None = None,
    expires_at: datetime | None = None,
) -> KeyRow:
    """Keep a new key's digest."""
    row = KeyRow(
        id=key_id,
        digest=digest,
        name=name,
        project_id=project,
        scope=scope,
        created_at=now,
        created_by=created_by,
        expires_at=expires_at,
    )
    session.add(row)
    await session.flush()
    return row


async def find(session: AsyncSession, key_id: str) -> KeyRow | None:
    """The key, for reading."""
    return await session.get(KeyRow, key_id)


async def lock(session: AsyncSession, key_id: str) -> KeyRow | None:
    """The key, with its row locked until the transaction ends."""
    return await session.scalar(select(KeyRow).where(KeyRow.id == key_id).with_for_update())


async def page(
    session: AsyncSession, project: str | None, after: Position | None, limit: int
) -> Sequence[KeyRow]:
    """Keys behind the position, newest first; of one project, or of all."""
    query = select(KeyRow).order_by(KeyRow.created_at.desc(), KeyRow.id.desc()).limit(limit)
    if project is not None:
        query = query.where(KeyRow.project_id == project)
    if after is not None:
        query = query.where(tuple_(KeyRow.created_at, KeyRow.id) < after)
    return (await session.scalars(query)).all()


async def touch(session: AsyncSession, key_id: str, now: datetime) -> None:
    """Note that a key was used."""
    await session.execute(update(KeyRow).where(KeyRow.id == key_id).values(last_used_at=now))
