"""Attempts: one run of a job each, told apart by number and known by a token of its own."""

import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.state import Status, cancel_target
from rkd_online.service.store import events, jobs
from rkd_online.service.store.models import AttemptRow, JobRow


def new_token() -> str:
    """256 random bits. Only their digest is stored."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """SHA-256 of a token, in hexadecimal: random bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def holds(attempt: AttemptRow, token: str) -> bool:
    """Whether this is the attempt's token; takes the same time for every wrong one."""
    return hmac.compare_digest(attempt.token_sha256, digest(token))


def begin(session: AsyncSession, job: JobRow, now: datetime) -> AttemptRow:
    """Open the next attempt of a locked, queued job."""
    job.attempt += 1
    jobs.move(session, job, Status.STARTING, now)
    attempt = AttemptRow(
        job_id=job.id, number=job.attempt, token_sha256=digest(new_token()), created_at=now
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


def end(attempt: AttemptRow, now: datetime, trouble: str | None = None) -> None:
    """The attempt is over; what its run still sends is refused from now on."""
    attempt.ended_at = now
    attempt.trouble = trouble


async def cancel(session: AsyncSession, job: JobRow, now: datetime) -> None:
    """Cancel a locked job: at once while it waits, else when its run has ended."""
    target = cancel_target(job.status)
    jobs.move(session, job, target, now, "cancel was asked for")
    if target is Status.STOPPING:
        attempt = await find(session, job.id, job.attempt)
        assert attempt is not None
        attempt.stopping_at = now


async def lose(
    session: AsyncSession,
    job: JobRow,
    attempt: AttemptRow,
    cause: str,
    log: str,
    now: datetime,
    max_attempts: int,
) -> None:
    """The run died: queue the next attempt, or fail the job when it has had its last.

    What the run itself said of it comes before ``cause``: the cluster knows no more than how a
    process ended.
    """
    cause = await events.last_words(session, job.id, attempt.number) or cause
    end(attempt, now, cause)
    data = {"cause": cause, "log": log}
    events.append(session, job, "attempt_lost", data, now)
    if job.attempt >= max_attempts:
        reason = f"attempt {job.attempt} of {max_attempts} was lost: {cause}"
        jobs.move(session, job, Status.FAILED, now, reason)
    else:
        jobs.move(session, job, Status.QUEUED, now, f"attempt {job.attempt} was lost: {cause}")
