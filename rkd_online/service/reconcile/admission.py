"""Which of the jobs that wait are begun: by priority and age, within quotas and the cluster's room.

A job for which the cluster has no room lets others pass it for ``backfill_seconds``; then those
behind it wait for it, or a large job would never find room.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.clock import Now
from rkd_online.service.launchers.room import Room
from rkd_online.service.reconcile.ledgers import open_ledger
from rkd_online.service.reconcile.needs import needs_of
from rkd_online.service.settings import Settings
from rkd_online.service.store import attempts, jobs, projects
from rkd_online.service.store.access_tables import ProjectRow
from rkd_online.service.store.attempts import TokenOf
from rkd_online.service.store.leases import Lease
from rkd_online.service.store.tables import AttemptRow, JobRow
from rkd_online.spec.job import JobSpec

MOST_LOOKED_AT: Final = 200
"""Jobs that one pass considers."""


class Admission:
    """Fills the free places."""

    def __init__(self, settings: Settings, lease: Lease, token_of: TokenOf, now: Now) -> None:
        self._settings = settings
        self._lease = lease
        self._token_of = token_of
        self._now = now

    async def begin(
        self, session: AsyncSession, room: Room | str
    ) -> list[tuple[JobRow, AttemptRow]]:
        """Open an attempt of every job that can start now, and note on the others why they wait.

        ``room`` is the cluster's, or why it is not known.
        """
        await jobs.lock_queue(session)
        running, reserved = await jobs.reserved(session)
        waiting = await jobs.next_in_line(session, self._now(), MOST_LOOKED_AT)
        if isinstance(room, str):
            for job in waiting:
                self._keep_waiting(session, job, room)
            return []
        quotas = await _Quotas.read(session)
        places = self._settings.max_running_jobs - running
        ledger = await open_ledger(session, room, reserved)
        begun: list[tuple[JobRow, AttemptRow]] = []
        for job in waiting:
            if len(begun) >= places:
                self._keep_waiting(session, job, self._no_place(running + len(begun)))
                continue
            if (problem := quotas.lack(job)) is not None:
                self._keep_waiting(session, job, problem)
                continue
            needs = needs_of(JobSpec.model_validate(job.spec), self._settings.role_label)
            if (problem := ledger.lack(needs)) is not None:
                self._keep_waiting(session, job, problem)
                if self._held_up(job):
                    break
            else:
                ledger.take(needs)
                quotas.take(job)
                attempt = attempts.begin(session, job, self._lease, self._token_of, self._now())
                begun.append((job, attempt))
        return begun

    def _no_place(self, running: int) -> str:
        return (
            f"waits for a place: {running} jobs run, and max_running_jobs is "
            f"{self._settings.max_running_jobs}"
        )

    def _keep_waiting(self, session: AsyncSession, job: JobRow, reason: str) -> None:
        jobs.keep_waiting(session, job, reason, self._now())

    def _held_up(self, job: JobRow) -> bool:
        limit = timedelta(seconds=self._settings.backfill_seconds)
        return self._now() - job.ready_at > limit


class _Quotas:
    """What the active jobs of each project leave it."""

    def __init__(
        self, projects: dict[str, ProjectRow], in_use: dict[str, tuple[int, float]]
    ) -> None:
        self._projects = projects
        self._in_use = in_use

    @classmethod
    async def read(cls, session: AsyncSession) -> "_Quotas":
        return cls(await projects.quotas(session), await projects.in_use(session))

    def lack(self, job: JobRow) -> str | None:
        """Why a job's project keeps it waiting."""
        project = self._projects[job.project_id]
        count, gpus = self._in_use.get(job.project_id, (0, 0.0))
        if project.max_active_jobs is not None and count >= project.max_active_jobs:
            return (
                f"waits for the project {project.id}: {count} of its jobs are active, and its "
                f"quota is {project.max_active_jobs}"
            )
        if project.max_gpus is not None and gpus + job.gpus > project.max_gpus:
            return (
                f"waits for the project {project.id}: its active jobs have {gpus:g} GPUs, this one "
                f"needs {job.gpus:g}, and its quota is {project.max_gpus:g}"
            )
        return None

    def take(self, job: JobRow) -> None:
        """A job is begun."""
        count, gpus = self._in_use.get(job.project_id, (0, 0.0))
        self._in_use[job.project_id] = (count + 1, gpus + job.gpus)
