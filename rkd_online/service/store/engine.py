"""The database: connections and transactions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, event, make_url
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from rkd_online.service.store.counting import COUNTS, Count
from rkd_online.service.store.sqlite_driver import LOCKING, connecting
from rkd_online.service.telemetry.recorder import Recorder

PRAGMAS: Final = {
    "journal_mode": "WAL",
    "busy_timeout": "30000",
    "foreign_keys": "ON",
    "synchronous": "NORMAL",
}
POOL: Final = {"pool_size": 10, "max_overflow": 20, "pool_timeout": 30, "pool_pre_ping": True}
"""Of connections to a server. One that a restart of the server broke is replaced."""


class Database:
    """Short transactions only: never hold one while waiting for anything else."""

    def __init__(self, url: str, recorder: Recorder | None = None) -> None:
        """Without a recorder nobody asks what is counted."""
        self._recorder = recorder or Recorder()
        self.engine = new_engine(url)
        self.is_sqlite = is_sqlite(url)
        writer = self.engine.execution_options(sqlite_begin=LOCKING)
        self._reader = async_sessionmaker(self.engine, expire_on_commit=False)
        self._writer = async_sessionmaker(writer, expire_on_commit=False)
        # Writers of this process queue here: SQLite's own wait for its lock is a row of sleeps.
        self._turn: AbstractAsyncContextManager[object] = (
            asyncio.Lock() if self.is_sqlite else nullcontext()
        )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A transaction that only reads."""
        with self._recorder.transaction("read"):
            async with self._reader() as session, session.begin():
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A transaction that writes; committed at the end unless an error leaves it."""
        counts: list[Count] = []
        with self._recorder.transaction("write"):
            async with (
                self._turn,
                self._writer(info={COUNTS: counts}) as session,
                session.begin(),
            ):
                yield session
        for made in counts:
            made(self._recorder)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def is_sqlite(url: str) -> bool:
    """Whether the database is a file of this machine."""
    return make_url(url).get_backend_name() == "sqlite"


def sqlite_file(url: str) -> Path | None:
    """The file of the database; None for one of a server."""
    return Path(make_url(url).database or "") if is_sqlite(url) else None


def new_engine(url: str, *, foreign_keys: bool = True) -> AsyncEngine:
    """An engine whose connections have what the store relies on. A migration makes SQLite's tables
    anew, which ``foreign_keys`` would forbid."""
    if not is_sqlite(url):
        return create_async_engine(url, **POOL)
    engine = create_async_engine(url, async_creator=connecting(make_url(url)))
    pragmas = PRAGMAS | {"foreign_keys": "ON" if foreign_keys else "OFF"}

    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for name, value in pragmas.items():
            cursor.execute(f"PRAGMA {name}={value}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: upgrading a read lock fails when two try it together."""
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
