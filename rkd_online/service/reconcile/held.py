"""An attempt under way, held under its job's lock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.bell import Bell
from rkd_online.service.clock import Now
from rkd_online.service.state import Status
from rkd_online.service.store import attempts
from rkd_online.service.store.engine import Database
from rkd_online.service.store.leases import Lease
from rkd_online.service.store.tables import AttemptRow, JobRow

Held = tuple[AsyncSession, JobRow, AttemptRow]


class Holder:
    """Calls to the cluster are made outside of transactions. What was read before a call may have
    changed by its answer, so every change reads the rows again under their lock."""

    def __init__(self, database: Database, bell: Bell, lease: Lease) -> None:
        self._database = database
        self._bell = bell
        self._lease = lease

    @asynccontextmanager
    async def change(self, seen: AttemptRow, *statuses: Status) -> AsyncIterator[Held | None]:
        """The job and attempt as they are now, or None where they have moved on since, or another
        replica looks after them."""
        async with self._database.write() as session:
            current = await attempts.lock_current(session, seen)
            if (
                current is not None
                and current[0].status in statuses
                and current[1].lease_owner == self._lease.owner
            ):
                yield session, *current
            else:
                yield None
        self._bell.ring(seen.job_id)


class Listening:
    """Counts time only while this process could be reported to."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._start = now()

    def restart(self) -> None:
        """Nobody listened until now."""
        self._start = self._now()

    def since(self, moment: datetime) -> timedelta:
        """The time since a moment in which this process listened without a break."""
        return self._now() - max(moment, self._start)
