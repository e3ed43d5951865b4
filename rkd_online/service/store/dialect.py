"""Where the two databases differ."""

from enum import IntEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession


class Lock(IntEnum):
    """PostgreSQL's advisory locks of this service; SQLite has one writer anyway."""

    UPGRADE = 0x726B64
    QUEUE = 0x726B65
    FIRST_KEY = 0x726B66


def on_sqlite(session: AsyncSession) -> bool:
    """Whether the session's database is a file of this machine."""
    return session.get_bind().dialect.name == "sqlite"


async def hold(connection: AsyncConnection | AsyncSession, lock: Lock) -> None:
    """Wait for a lock of PostgreSQL and hold it until the transaction ends."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock.value})
