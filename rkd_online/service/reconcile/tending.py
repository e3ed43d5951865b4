"""What is done about one attempt: launch it, watch it, stop it, see it off."""

import logging
from datetime import datetime, timedelta

from rkd_online.service.bell import Bell
from rkd_online.service.clock import Now
from rkd_online.service.job_storage import JobStorage
from rkd_online.service.launchers.base import RunState
from rkd_online.service.launchers.quiet import QuietLauncher
from rkd_online.service.naming import NameChecker
from rkd_online.service.outcomes import CAUSE_OF, LossCause, Outcome
from rkd_online.service.reconcile.budgets import spent
from rkd_online.service.reconcile.held import Holder, Listening
from rkd_online.service.reconcile.launching import Launching
from rkd_online.service.settings import Settings
from rkd_online.service.state import Action, Status
from rkd_online.service.store import attempts, jobs
from rkd_online.service.store.attempts import Loss, Retry, TokenOf
from rkd_online.service.store.engine import Database
from rkd_online.service.store.leases import Lease
from rkd_online.service.store.tables import AttemptRow, JobRow
from rkd_online.service.telemetry.recorder import Recorder

log = logging.getLogger(__name__)

WAITING_STAMP = timedelta(seconds=15)
"""How far the time of a waiting attempt may be behind: each time is a transaction."""
STARTS = "waits for its Ray to start"


class Tending:
    """``listening`` starts anew when this process was held up."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        cluster: QuietLauncher,
        bell: Bell,
        lease: Lease,
        names: NameChecker,
        storage: JobStorage,
        token_of: TokenOf,
        recorder: Recorder,
        now: Now,
    ) -> None:
        self._settings = settings
        self._database = database
        self._now = now
        self._cluster = cluster
        self._holder = Holder(database, bell, lease)
        self.listening = Listening(now)
        self._retry = Retry(settings.max_attempts, timedelta(seconds=settings.retry_wait_seconds))
        self._launching = Launching(
            settings,
            cluster.plain,
            self._holder,
            self.listening,
            names,
            storage,
            token_of,
            recorder,
            now,
        )

    async def tend(self, job: JobRow, attempt: AttemptRow) -> None:
        """One look at one attempt that has not been released."""
        if attempt.ended_at is not None:
            await self._see_off(attempt, attempt.ended_at)
        elif job.status is Status.STOPPING:
            await self._stop(attempt)
        elif job.status is Status.PAUSING:
            await self._pause(attempt)
        elif not _waits(job, attempt) and (problem := spent(job, attempt, self._now())):
            await self._break_off(attempt, problem)
        elif attempt.launched_at is None:
            await self._launching.launch(attempt)
        else:
            await self._watch(job, attempt)

    async def _watch(self, job: JobRow, attempt: AttemptRow) -> None:
        found = await self._cluster.ask(attempt)
        if found is not None and found.state is RunState.SUCCEEDED:
            await self._succeed(attempt)
        elif found is not None and found.state.over:
            await self._lose(
                attempt, CAUSE_OF[found.state], f"its run is {found.state}: {found.message}"
            )
        elif found is not None and found.state is RunState.WAITING:
            await self._wait(job, attempt, found.message)
        elif self._overdue(attempt):
            await self._lose_silent(attempt)
        elif found is not None and job.waiting:
            await self._let_in(job, attempt)

    def _overdue(self, attempt: AttemptRow) -> str:
        """Why an attempt counts as silent; empty while it does not."""
        heard = attempt.heartbeat_at or attempt.launched_at or attempt.created_at
        if attempt.heartbeat_at is None:
            limit, name = self._settings.start_timeout_seconds, "start_timeout_seconds"
        else:
            limit, name = self._settings.heartbeat_timeout_seconds, "heartbeat_timeout_seconds"
        silence = self.listening.since(heard).total_seconds()
        return f"no report for {silence:.0f} s ({name} is {limit:g})" if silence > limit else ""

    async def _wait(self, job: JobRow, attempt: AttemptRow, reason: str) -> None:
        """The cluster's own queue has it. A run that has reported was there and is gone: if it came
        back it would begin where this attempt began, so the next one goes on instead."""
        if attempt.heartbeat_at is None:
            waited = self._now() - (attempt.launched_at or attempt.created_at)
            if job.waiting != reason or waited > WAITING_STAMP:
                await self._keep_waiting(attempt, reason)
            return
        async with self._holder.change(attempt, Status.STARTING, Status.RUNNING) as held:
            if held is not None:
                attempts.preempt(*held, reason, self._now())
        await self._cluster.ask_to_stop(attempt)

    async def _let_in(self, job: JobRow, attempt: AttemptRow) -> None:
        """What waited is there, and has not reported yet."""
        if job.waiting != STARTS:
            await self._keep_waiting(attempt, STARTS)

    async def _keep_waiting(self, attempt: AttemptRow, reason: str) -> None:
        """What waits has nothing of the cluster: its time counts from when it is let in."""
        async with self._holder.change(attempt, Status.STARTING) as held:
            if held is not None:
                session, current, row = held
                jobs.keep_waiting(session, current, reason, self._now())
                row.launched_at = self._now()

    async def _succeed(self, attempt: AttemptRow) -> None:
        """A run exits with 0 only when its job is done."""
        async with self._holder.change(attempt, Status.STARTING, Status.RUNNING) as held:
            if held is not None:
                session, job, row = held
                attempts.end(session, job, row, Outcome.SUCCEEDED, self._now())
                row.released_at = self._now()
                reason = "the run ended well, but its last report never came"
                jobs.move(session, job, Status.SUCCEEDED, self._now(), reason)

    async def _lose(self, attempt: AttemptRow, word: LossCause, cause: str) -> None:
        """The cluster says that the run is over."""
        loss = Loss(word, cause, await self._cluster.log_tail(attempt))
        async with self._holder.change(attempt, Status.STARTING, Status.RUNNING) as held:
            if held is not None:
                session, job, row = held
                await attempts.lose(session, job, row, loss, self._retry, self._now())
                row.released_at = self._now()

    async def _lose_silent(self, attempt: AttemptRow) -> None:
        """The run may still be there: it keeps its place until it is gone."""
        tail = await self._cluster.log_tail(attempt)
        async with self._holder.change(attempt, Status.STARTING, Status.RUNNING) as held:
            if held is None:
                return
            session, job, row = held
            cause = self._overdue(row)
            if not cause:  # it reported while its log was fetched
                return
            word = LossCause.SILENT if row.heartbeat_at else LossCause.NEVER_STARTED
            loss = Loss(word, cause, tail)
            await attempts.lose(session, job, row, loss, self._retry, self._now())
        await self._cluster.ask_to_stop(attempt)

    async def _stop(self, attempt: AttemptRow) -> None:
        found = await self._cluster.ask(attempt)
        limit = self._settings.stop_timeout_seconds
        asked = attempt.stopping_at or attempt.created_at
        if found is not None and found.state.over:
            await self._cancelled(attempt, None)
        elif self.listening.since(asked) > timedelta(seconds=limit):
            reason = f"Ray did not confirm the end of the run within {limit:g} s"
            await self._cancelled(attempt, reason)
        elif found is not None:
            await self._cluster.ask_to_stop(attempt)

    async def _break_off(self, attempt: AttemptRow, reason: str) -> None:
        async with self._holder.change(attempt, Status.STARTING, Status.RUNNING) as held:
            if held is not None:
                session, job, _ = held
                await attempts.act(session, job, Action.PAUSE, self._now(), reason)

    async def _pause(self, attempt: AttemptRow) -> None:
        """A run that was asked to pause says so when its checkpoint is written, and ends. One that
        ends without a word, is silent, or takes too long is paused at its last checkpoint."""
        found = await self._cluster.ask(attempt)
        limit = self._settings.pause_timeout_seconds
        asked = attempt.stopping_at or attempt.created_at
        if found is not None and found.state.over:
            reason = f"its run ended before it wrote a checkpoint: {found.message or found.state}"
            await self._paused(attempt, reason, gone=True)
        elif found is not None and found.state is RunState.WAITING:
            await self._paused(attempt, f"its run is not there: {found.message}", gone=False)
        elif silence := self._overdue(attempt):
            await self._paused(attempt, silence, gone=False)
        elif self.listening.since(asked) > timedelta(seconds=limit):
            reason = f"its run did not pause within {limit:g} s (pause_timeout_seconds)"
            await self._paused(attempt, reason, gone=False)

    async def _paused(self, attempt: AttemptRow, reason: str, *, gone: bool) -> None:
        async with self._holder.change(attempt, Status.PAUSING) as held:
            if held is not None:
                session, job, row = held
                attempts.end(session, job, row, Outcome.PAUSED, self._now(), reason)
                if gone:
                    row.released_at = self._now()
                jobs.move(session, job, Status.PAUSED, self._now(), reason)
        if not gone:
            await self._cluster.ask_to_stop(attempt)

    async def _cancelled(self, attempt: AttemptRow, reason: str | None) -> None:
        async with self._holder.change(attempt, Status.STOPPING) as held:
            if held is not None:
                session, job, row = held
                attempts.end(session, job, row, Outcome.CANCELLED, self._now(), reason)
                row.released_at = self._now()
                jobs.move(session, job, Status.CANCELLED, self._now(), reason)

    async def _see_off(self, attempt: AttemptRow, ended_at: datetime) -> None:
        """A run may hang at its exit: it keeps its place on the cluster until it is gone."""
        found = await self._cluster.ask(attempt)
        grace = timedelta(seconds=self._settings.exit_grace_seconds)
        limit = grace + timedelta(seconds=self._settings.stop_timeout_seconds)
        gone = found is not None and found.state.over
        waited = self.listening.since(ended_at)
        if gone or waited > limit:
            await self._release(attempt, confirmed=gone)
        elif found is not None and waited > grace:
            await self._cluster.ask_to_stop(attempt)

    async def _release(self, attempt: AttemptRow, *, confirmed: bool) -> None:
        if not confirmed:
            log.warning(
                "nobody confirmed that attempt %d of %s has left the cluster",
                attempt.number,
                attempt.job_id,
            )
        async with self._database.write() as session:
            row = await attempts.find(session, attempt.job_id, attempt.number)
            assert row is not None
            row.released_at = self._now()


def _waits(job: JobRow, attempt: AttemptRow) -> bool:
    """Whether the run was last seen in a queue of the cluster's own."""
    return attempt.launched_at is not None and job.waiting is not None
