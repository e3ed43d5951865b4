"""Attempts: one run of a job each, told apart by number and known by a token of its own."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.outcomes import LossCause, Outcome
from rkd_online.service.state import Action, Status, target_of
from rkd_online.service.store import events, jobs
from rkd_online.service.store.counting import count
from rkd_online.service.store.leases import Lease
from rkd_online.service.store.tables import AttemptRow, JobRow

TokenOf: TypeAlias = Callable[[str, int], str]
"""The token of an attempt of a job: the same whichever replica launches it."""
LONGEST_WAIT: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Loss:
    """Why an attempt is over, in a word and in a sentence, and the end of its log."""

    word: LossCause
    cause: str
    log: str


@dataclass(frozen=True, slots=True)
class Retry:
    """How many attempts of a job may be lost, and the wait after the first one, which doubles."""

    most: int
    first_wait: timedelta

    def wait(self, losses: int) -> timedelta:
        """Before the attempt that follows so many lost ones."""
        doubled: timedelta = self.first_wait * 2 ** (losses - 1)
        return min(doubled, LONGEST_WAIT)


def digest(token: str) -> str:
    """SHA-256 of a token, in hexadecimal: random bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def holds(attempt: AttemptRow, token: str) -> bool:
    """Whether this is the attempt's token; takes the same time for every wrong one."""
    return hmac.compare_digest(attempt.token_sha256, digest(token))


def begin(
    session: AsyncSession, job: JobRow, lease: Lease, token_of: TokenOf, now: datetime
) -> AttemptRow:
    """Open the next attempt of a locked, queued job, to be looked after by the lease's owner."""
    job.attempt += 1
    jobs.move(session, job, Status.STARTING, now)
    attempt = AttemptRow(
        job_id=job.id,
        number=job.attempt,
        token_sha256=digest(token_of(job.id, job.attempt)),
        created_at=now,
        lease_owner=lease.owner,
        lease_until=now + lease.term,
    )
    session.add(attempt)
    return attempt


async def find(session: AsyncSession, job_id: str, number: int) -> AttemptRow | None:
    """One attempt of a job."""
    return await session.get(AttemptRow, (job_id, number))


async def lock_current(session: AsyncSession, seen: AttemptRow) -> tuple[JobRow, AttemptRow] | None:
    """The locked job and its attempt, if that attempt is still the one under way.

    What was read before a call to Ray may have changed meanwhile: None means drop the answer.
    """
    job = await jobs.lock(session, seen.job_id)
    attempt = await find(session, seen.job_id, seen.number)
    if job is None or attempt is None or attempt.ended_at is not None:
        return None
    return job, attempt


def end(
    session: AsyncSession,
    job: JobRow,
    attempt: AttemptRow,
    outcome: Outcome,
    now: datetime,
    trouble: str | None = None,
) -> None:
    """The attempt is over; what its run still sends is refused from now on."""
    attempt.ended_at = now
    attempt.trouble = trouble
    job.run_seconds += seconds_of(attempt, now)
    count(session, lambda recorder: recorder.attempt_ended(outcome))


def seconds_of(attempt: AttemptRow, now: datetime) -> float:
    """How long an attempt has run."""
    return (now - attempt.launched_at).total_seconds() if attempt.launched_at else 0.0


async def act(
    session: AsyncSession, job: JobRow, action: Action, now: datetime, reason: str
) -> bool:
    """Do to a locked job what a user or a budget asks for; whether there was anything to do. What
    waits is moved at once, what runs when its run has ended."""
    target = target_of(action, job.status)
    if target is job.status:
        return False
    jobs.move(session, job, target, now, reason)
    if target is Status.QUEUED:
        job.ready_at = now
    if target in (Status.STOPPING, Status.PAUSING):
        attempt = await find(session, job.id, job.attempt)
        assert attempt is not None
        attempt.stopping_at = now
    return True


def preempt(
    session: AsyncSession, job: JobRow, attempt: AttemptRow, cause: str, now: datetime
) -> None:
    """The cluster gave the run's room to another: the next attempt waits for it. No loss."""
    end(session, job, attempt, Outcome.PREEMPTED, now, cause)
    events.append(session, job, "attempt_preempted", {"cause": cause}, now)
    job.ready_at = now
    reason = f"attempt {attempt.number} was preempted: {cause}"
    jobs.move(session, job, Status.QUEUED, now, reason)


async def lose(
    session: AsyncSession,
    job: JobRow,
    attempt: AttemptRow,
    loss: Loss,
    retry: Retry,
    now: datetime,
) -> None:
    """The run died: queue the next attempt, or fail the job when it has had its last.

    What the run itself said of it comes before the cluster's words: the cluster knows no more than
    how a process ended.
    """
    told = await events.last_words(session, job.id, attempt.number)
    cause, word = told or loss.cause, LossCause.TOLD if told else loss.word
    end(session, job, attempt, Outcome.LOST, now, cause)
    count(session, lambda recorder: recorder.attempt_lost(word))
    job.losses += 1
    wait = retry.wait(job.losses)
    data = {"cause": cause, "log": loss.log, "losses": job.losses, "most": retry.most}
    events.append(session, job, "attempt_lost", data, now)
    if job.losses >= retry.most:
        reason = f"attempt {job.attempt} was lost, {job.losses} of {retry.most}: {cause}"
        jobs.move(session, job, Status.FAILED, now, reason)
        return
    job.ready_at = now + wait
    again = f"; the next begins in {wait.total_seconds():g} s" if wait else ""
    jobs.move(session, job, Status.QUEUED, now, f"attempt {job.attempt} was lost: {cause}{again}")
