"""Brings what runs on the cluster in line with what the database says, again and again.

It keeps no state of its own that matters: after a restart it finds every attempt that is under way
in the database and goes on with it.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta

from rkd_online.service.bell import Bell
from rkd_online.service.clock import Now
from rkd_online.service.launchers.base import Launcher
from rkd_online.service.settings import Settings
from rkd_online.service.store import attempts, jobs
from rkd_online.service.store.engine import Database
from rkd_online.service.store.models import AttemptRow, JobRow
from rkd_online.service.tending import Tending

STALL = timedelta(seconds=30)
"""A pass that comes this much late means that this process was held up."""

log = logging.getLogger(__name__)


class Reconciler:
    """One per process, started and stopped with the app. ``last_pass`` is when one ended last."""

    def __init__(
        self, settings: Settings, database: Database, launcher: Launcher, bell: Bell, now: Now
    ) -> None:
        self._settings = settings
        self._database = database
        self._now = now
        self._tending = Tending(settings, database, launcher, bell, now)
        self._bell = bell
        self._wake = asyncio.Event()
        self.last_pass = now()

    def wake(self) -> None:
        """Look now rather than at the next turn."""
        self._wake.set()

    async def run(self) -> None:
        """Reconcile until cancelled. A pass that fails is logged and the next one tries again."""
        while True:
            self._wake.clear()
            try:
                await self.reconcile()
            except Exception:
                log.exception("a pass over the jobs failed")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._settings.poll_seconds)

    async def reconcile(self) -> None:
        """One pass: tend every attempt that holds a place, then fill the free places."""
        self._note_absence(self._now())
        async with self._database.read() as session:
            holding = await jobs.holding(session)
        await asyncio.gather(*(self._tend(job, attempt) for job, attempt in holding))
        await self._start_queued()
        self.last_pass = self._now()

    def _note_absence(self, now: datetime) -> None:
        """No run could report while this process was down or held up: count silence anew."""
        late = timedelta(seconds=self._settings.poll_seconds) + STALL
        if now - self.last_pass > late:
            self._tending.listening.restart()

    async def _tend(self, job: JobRow, attempt: AttemptRow) -> None:
        """Trouble with one job must not keep the others from being looked after."""
        try:
            await self._tending.tend(job, attempt)
        except Exception:
            log.exception("could not look after attempt %d of %s", attempt.number, job.id)

    async def _start_queued(self) -> None:
        async with self._database.write() as session:
            free = self._settings.max_running_jobs - len(await jobs.holding(session))
            waiting = await jobs.claim(session, max(free, 0))
            begun = [(job, attempts.begin(session, job, self._now())) for job in waiting]
        for job, _ in begun:
            self._bell.ring(job.id)
        await asyncio.gather(*(self._tend(job, attempt) for job, attempt in begun))
