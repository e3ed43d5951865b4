"""Brings what runs on the cluster in line with what the database says, again and again.

It keeps no state of its own that matters: after a restart it finds every attempt that is under way
in the database and goes on with it.
"""

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from datetime import datetime, timedelta

from structlog.contextvars import bound_contextvars

from rkd_online.service.bell import Bell
from rkd_online.service.clock import Now
from rkd_online.service.job_storage import JobStorage
from rkd_online.service.launchers.base import LauncherError
from rkd_online.service.launchers.quiet import QuietLauncher
from rkd_online.service.launchers.room import Room
from rkd_online.service.launchers.watched import WatchedRoom
from rkd_online.service.naming import NameChecker
from rkd_online.service.reconcile.admission import Admission
from rkd_online.service.reconcile.tending import Tending
from rkd_online.service.settings import Settings
from rkd_online.service.store import answers, jobs, leases
from rkd_online.service.store.attempts import TokenOf
from rkd_online.service.store.engine import Database
from rkd_online.service.store.leases import Lease
from rkd_online.service.store.tables import AttemptRow, JobRow
from rkd_online.service.telemetry.recorder import Recorder

LEASE_SECONDS = 120
"""Longer than a pass takes when the cluster does not answer; another replica waits for it only
where this one dies without a word."""
GAP_SECONDS = 0.25
GAP_SHARE = 4.0
"""Between two passes lies so much time, or so many times what the last one took, however often one
is asked for: each submission asks, and a pass over a long queue looks at many jobs."""
STALL = timedelta(seconds=30)
"""A pass that comes this much late means that this process was held up."""

log = logging.getLogger(__name__)


def gap(took: float, poll_seconds: float) -> float:
    """Seconds from one pass to the next that anything may ask for; nothing has to ask after
    ``poll_seconds``."""
    return min(max(GAP_SECONDS, GAP_SHARE * took), poll_seconds)


class Reconciler:
    """One per process, started and stopped with the app. ``last_pass`` is when one ended last."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        cluster: QuietLauncher,
        room: WatchedRoom,
        bell: Bell,
        names: NameChecker,
        storage: JobStorage,
        token_of: TokenOf,
        recorder: Recorder,
        now: Now,
    ) -> None:
        self._settings = settings
        self._database = database
        self._watched = room
        self._recorder = recorder
        self._now = now
        self._lease = Lease(f"replica-{secrets.token_hex(8)}", timedelta(seconds=LEASE_SECONDS))
        self._tending = Tending(
            settings,
            database,
            cluster,
            bell,
            self._lease,
            names,
            storage,
            token_of,
            recorder,
            now,
        )
        self._admission = Admission(settings, self._lease, token_of, now)
        self._bell = bell
        self._wake = asyncio.Event()
        self._ending = False
        self.last_pass = now()

    def wake(self) -> None:
        """Look now rather than at the next turn."""
        self._wake.set()

    async def run(self) -> None:
        """Reconcile until the end is asked for. A pass that fails is logged and the next one tries
        again."""
        while not self._ending:
            self._wake.clear()
            began = time.monotonic()
            try:
                await self.reconcile()
            except Exception:
                self._recorder.reconcile_failed("pass")
                log.exception("a pass over the jobs failed")
            await asyncio.sleep(gap(time.monotonic() - began, self._settings.poll_seconds))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._settings.poll_seconds)
        async with self._database.write() as session:
            await leases.release(session, self._lease, self._now())

    def end(self) -> None:
        """End ``run`` after the pass under way, and let another replica take over."""
        self._ending = True
        self._wake.set()

    async def reconcile(self) -> None:
        """One pass: tend every attempt that holds a place, then fill the free places."""
        with self._recorder.reconciling():
            await self._pass()
        self.last_pass = self._now()

    async def _pass(self) -> None:
        self._note_absence(self._now())
        async with self._database.write() as session:
            await answers.forget(session, self._now())
            holding = await leases.take(
                session, self._lease, self._now(), alone=self._database.is_sqlite
            )
        await asyncio.gather(*(self._tend(job, attempt) for job, attempt in holding))
        await self._start_queued()

    def _note_absence(self, now: datetime) -> None:
        """No run could report while this process was down or held up: count silence anew."""
        late = timedelta(seconds=self._settings.poll_seconds) + STALL
        if now - self.last_pass > late:
            self._tending.listening.restart()

    async def _tend(self, job: JobRow, attempt: AttemptRow) -> None:
        """Trouble with one job must not keep the others from being looked after."""
        with bound_contextvars(job_id=job.id, attempt=attempt.number, project=job.project_id):
            try:
                await self._tending.tend(job, attempt)
            except Exception:
                self._recorder.reconcile_failed("attempt")
                log.exception("could not look after attempt %d of %s", attempt.number, job.id)

    async def _start_queued(self) -> None:
        async with self._database.read() as session:
            if not await jobs.ready(session, self._now()):
                return
        room = await self._room()
        async with self._database.write() as session:
            begun = await self._admission.begin(session, room)
        for job, _ in begun:
            self._bell.ring(job.id)
        await asyncio.gather(*(self._tend(job, attempt) for job, attempt in begun))

    async def _room(self) -> Room | str:
        """The cluster's room, or why it is not known."""
        try:
            return await self._watched.fresh()
        except LauncherError as error:
            return f"waits for the cluster: {error}"
