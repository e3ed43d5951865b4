"""The newest events of jobs that somebody follows, read once for all who do."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import anyio
from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.bell import Bell, wait_for_ring
from rkd_online.service.schemas.event import Event
from rkd_online.service.state import Status
from rkd_online.service.store import events, jobs
from rkd_online.service.store.engine import Database
from rkd_online.service.store.tables import EventRow
from rkd_online.service.web.problems import no_such_job

BATCH: Final = 200
KEPT: Final = 500
"""Events in memory for each job that is followed; who is further behind reads the database."""
LOOK_SECONDS: Final = 1.0
"""A look after this long though no bell rang: beside a server's database other processes write."""
LOOK_ALONE_SECONDS: Final = 15.0
"""The same where this process is the only one that writes."""


@dataclass(frozen=True, slots=True)
class Line:
    """An event as it is sent."""

    number: int
    type: str
    data: str


@dataclass(frozen=True, slots=True)
class News:
    """The next events, and the job's status from before they were read: a job that was over then
    has none that come later."""

    status: Status
    lines: Sequence[Line]


class Feed:
    """Of one job."""

    def __init__(self, database: Database, bell: Bell, job_id: str) -> None:
        self._database = database
        self._bell = bell
        self._job_id = job_id
        self.listening = ExitStack()
        self._rung = self.listening.enter_context(bell.listen(job_id))
        self._turn = asyncio.Lock()
        self._recent: deque[Line] = deque(maxlen=KEPT)
        self._status = Status.QUEUED
        self._behind = True
        """Whether there is more to read than the last look took."""
        self._looked_at = 0.0
        self.readers = 0
        self.look_seconds = LOOK_ALONE_SECONDS if database.is_sqlite else LOOK_SECONDS

    async def after(self, number: int) -> News:
        """What comes behind an event."""
        # A reader who leaves does not cut the transaction off, which would cost the connection.
        with anyio.CancelScope(shield=True):
            async with self._turn:
                if self._stale():
                    await self._look()
            if self._recent and number < self._recent[0].number - 1:
                return await self._earlier(number)
        lines = [line for line in self._recent if line.number > number]
        return News(self._status, lines[:BATCH])

    async def wait(self, seconds: float) -> None:
        """Until there may be news, or for so long."""
        with self._bell.listen(self._job_id) as rung:
            if not self._stale():
                await wait_for_ring(rung, seconds)

    def _stale(self) -> bool:
        late = time.monotonic() - self._looked_at >= self.look_seconds
        return late or self._behind or self._rung.is_set()

    async def _look(self) -> None:
        """What is rung while this reads is looked at again."""
        self._rung.clear()
        looked_at = time.monotonic()
        last = self._recent[-1].number if self._recent else None
        async with self._database.read() as session:
            job = await jobs.find(session, self._job_id)
            if job is None:
                raise no_such_job(self._job_id)
            start = max(job.last_event - BATCH, 0) if last is None else last
            found = await self._lines(session, start)
        self._recent.extend(found)
        self._status = job.status
        self._behind = len(found) == BATCH
        self._looked_at = looked_at

    async def _earlier(self, number: int) -> News:
        async with self._database.read() as session:
            return News(self._status, await self._lines(session, number))

    async def _lines(self, session: AsyncSession, after: int) -> list[Line]:
        rows = await events.after(session, self._job_id, after, BATCH)
        return [Line(row.number, row.type, event_record(row).model_dump_json()) for row in rows]


class Feeds:
    """One feed for each job that is followed, as long as it is."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell
        self._feeds: dict[str, Feed] = {}

    @contextmanager
    def follow(self, job_id: str) -> Iterator[Feed]:
        """The job's feed."""
        feed = self._feeds.get(job_id) or self._open(job_id)
        feed.readers += 1
        try:
            yield feed
        finally:
            feed.readers -= 1
            if not feed.readers:
                feed.listening.close()
                del self._feeds[job_id]

    def _open(self, job_id: str) -> Feed:
        feed = self._feeds[job_id] = Feed(self._database, self._bell, job_id)
        return feed


def event_record(row: EventRow) -> Event:
    """An event."""
    return Event(number=row.number, at=row.at, type=row.type, attempt=row.attempt, data=row.data)
