"""SQLite in a thread of its own, with one hand-over to it for each statement, and none in a
writer's transaction.

aiosqlite hands over a cursor, the statement, its rows and the cursor's end one by one, and each
costs about what a small statement does. Here rows come with their statement, as SQLAlchemy reads
them all at once anyway.

What waits is done in the thread: the lock of the file, a commit, a reader's scan. A writer that has
the lock waits for nobody, and its statements are short. All other writers wait for it, though, and
each hand-over would wait for its turn of the interpreter: so they run where they are awaited.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Self, TypeAlias

import aiosqlite
from sqlalchemy import URL

LOCKING: Final = "BEGIN IMMEDIATE"
"""Begins a writer's transaction. It returns when no other writer has the file's lock."""
AT_ONCE: Final = 500
"""Rows that come with their statement; a reader of more gets the rest when it asks."""
Parameters: TypeAlias = Sequence[Any]


class Cursor:
    """What SQLAlchemy asks of a cursor. ``_more``: rows are left in the database."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._cursor: sqlite3.Cursor | None = None
        self._rows: list[Any] = []
        self._more = False

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Parameters = ()) -> Self:
        """Run the statement and fetch what it gives, or its first rows where they are many."""
        connection = self._connection
        self._cursor, self._rows = await connection.run(_executed, connection.raw, sql, parameters)
        connection.has_lock = connection.has_lock or sql == LOCKING
        self._more = len(self._rows) == AT_ONCE
        return self

    async def executemany(self, sql: str, parameters: Sequence[Parameters]) -> Self:
        """Run the statement once for each."""
        self._cursor = await self._connection.run(self._connection.raw.executemany, sql, parameters)
        return self

    async def fetchall(self) -> list[Any]:
        """The rows that were not fetched yet."""
        rows, self._rows = self._rows, []
        rows += await self._left("fetchall")
        self._more = False
        return rows

    async def fetchmany(self, size: int) -> list[Any]:
        """The next rows, for a reader who wants them in parts."""
        rows, self._rows = self._rows[:size], self._rows[size:]
        if len(rows) < size:
            rows += await self._left("fetchmany", size - len(rows))
        return rows

    async def fetchone(self) -> Any | None:
        """The next row; None behind the last."""
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        row = await self.fetchone()
        if row is None:
            raise StopAsyncIteration
        return row

    async def close(self) -> None:
        """End a statement that has rows left; all others have ended."""
        await self._left("close")
        self._more = False

    async def _left(self, verb: str, *arguments: Any) -> Any:
        """What the thread says of the rows that are left."""
        if not self._more:
            return []
        return await self._connection.run(getattr(self._cursor, verb), *arguments)

    @property
    def description(self) -> Any:
        """The columns of the last statement; None where it gives no rows."""
        return None if self._cursor is None else self._cursor.description

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed."""
        return -1 if self._cursor is None else self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The number of the last new row."""
        return None if self._cursor is None else self._cursor.lastrowid


class Connection(aiosqlite.Connection):
    """aiosqlite's connection with these cursors. ``has_lock``: a writer's transaction is open."""

    has_lock = False

    @property
    def raw(self) -> sqlite3.Connection:
        """The connection that the thread uses."""
        return self._conn

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function, in the thread if it may have to wait."""
        if self.has_lock:
            return function(*arguments)
        return await self._execute(function, *arguments)  # type: ignore[no-untyped-call]

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor, of which the thread need not know yet."""
        return Cursor(self)

    async def commit(self) -> None:
        """The log is written, and from time to time the file."""
        self.has_lock = False
        await super().commit()

    async def rollback(self) -> None:
        """A pool rolls back whatever it gets back, mostly nothing."""
        self.has_lock = False
        if self.raw.in_transaction:
            await super().rollback()


def connecting(url: URL) -> Callable[[], Awaitable[Connection]]:
    """What opens a connection to the file of this address. The driver begins no transactions by
    itself: it would begin them too late for a consistent read."""
    (file,), options = url.get_dialect()().create_connect_args(url)
    options["isolation_level"] = None

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(file, **options)

    async def opened() -> Connection:
        connection = Connection(connect, iter_chunk_size=64)
        # One that nobody closed must not keep the process from ending.
        connection._thread.daemon = True
        await connection
        return connection

    return opened


def _executed(
    connection: sqlite3.Connection, sql: str, parameters: Parameters
) -> tuple[sqlite3.Cursor, list[Any]]:
    cursor = connection.execute(sql, parameters)
    return cursor, cursor.fetchmany(AT_ONCE) if cursor.description else []
