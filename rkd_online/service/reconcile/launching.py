"""Starting the run of an attempt, once, however often it takes to reach the cluster."""

import asyncio
from datetime import timedelta
from pathlib import Path

from rkd_online.errors import ObjectStoreError, SpecError
from rkd_online.service.clock import Now
from rkd_online.service.job_storage import JobStorage
from rkd_online.service.launchers.base import (
    Launch,
    Launcher,
    LauncherRefused,
    LauncherUnavailable,
    RunState,
)
from rkd_online.service.naming import NameChecker
from rkd_online.service.outcomes import Outcome
from rkd_online.service.reconcile.held import Holder, Listening
from rkd_online.service.settings import Settings
from rkd_online.service.state import ACTIVE, Status
from rkd_online.service.store import attempts, events, jobs
from rkd_online.service.store.attempts import TokenOf
from rkd_online.service.store.tables import AttemptRow, JobRow
from rkd_online.service.telemetry.recorder import Recorder
from rkd_online.spec.job import JobSpec


class Launching:
    """Takes an attempt from its claim to its launch."""

    def __init__(
        self,
        settings: Settings,
        launcher: Launcher,
        holder: Holder,
        listening: Listening,
        names: NameChecker,
        storage: JobStorage,
        token_of: TokenOf,
        recorder: Recorder,
        now: Now,
    ) -> None:
        self._settings = settings
        self._launcher = launcher
        self._holder = holder
        self._listening = listening
        self._names = names
        self._storage = storage
        self._token_of = token_of
        self._recorder = recorder
        self._now = now

    async def launch(self, attempt: AttemptRow) -> None:
        """A launch whose answer was lost is found by its id and not made again."""
        try:
            with self._recorder.cluster_call():
                found = await self._launcher.status(attempt.job_id, attempt.number)
                if found.state is RunState.UNKNOWN:
                    await self._start(attempt)
        except (LauncherUnavailable, ObjectStoreError) as error:
            await self._delay(attempt, str(error))
        except (LauncherRefused, SpecError) as error:
            await self._give_up(attempt, str(error))
        else:
            await self._launched(attempt)

    async def _start(self, attempt: AttemptRow) -> None:
        async with self._holder.change(attempt, Status.STARTING) as held:
            if held is None:
                return
            _, job, _ = held
        spec = JobSpec.model_validate(job.spec)
        await self._names.check(spec, job.project_id)
        folder = await self._handed_over(job)
        await self._launcher.start(
            Launch(
                job_id=job.id,
                project=job.project_id,
                attempt=attempt.number,
                job_dir=folder,
                token=self._token_of(job.id, attempt.number),
                spec=spec,
                resume_from=folder / job.checkpoint["path"] if job.checkpoint else None,
                changes=job.changes["number"] if job.changes else 0,
            )
        )

    async def _handed_over(self, job: JobRow) -> Path:
        """The folder in which the run finds its spec. A disk that is full may have room later."""
        try:
            return await asyncio.to_thread(self._storage.hand_over, job.id, job.spec)
        except OSError as error:
            raise LauncherUnavailable(f"the job's spec cannot be written: {error}") from error

    async def _launched(self, attempt: AttemptRow) -> None:
        """By the time Ray answers, the run may have reported, and a user may have cancelled."""
        async with self._holder.change(attempt, *ACTIVE) as held:
            if held is not None:
                _, _, row = held
                row.launched_at = self._now()
                row.trouble = None

    async def _delay(self, attempt: AttemptRow, cause: str) -> None:
        limit = self._settings.launch_timeout_seconds
        if self._listening.since(attempt.created_at) > timedelta(seconds=limit):
            reason = f"{cause} (tried for {limit:g} s: launch_timeout_seconds)"
            await self._give_up(attempt, reason)
            return
        async with self._holder.change(attempt, Status.STARTING) as held:
            if held is not None and held[2].trouble != cause:
                session, job, row = held
                row.trouble = cause
                events.append(session, job, "launch_delayed", {"cause": cause}, self._now())

    async def _give_up(self, attempt: AttemptRow, reason: str) -> None:
        async with self._holder.change(attempt, Status.STARTING) as held:
            if held is not None:
                session, job, row = held
                attempts.end(session, job, row, Outcome.FAILED, self._now(), reason)
                row.released_at = self._now()
                jobs.move(session, job, Status.FAILED, self._now(), reason)
