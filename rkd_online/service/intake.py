"""What a run's events do to its job."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.outcomes import Outcome
from rkd_online.service.run_events import (
    CheckpointWritten,
    Paused,
    Receipt,
    RunEvent,
    StepDone,
    Told,
)
from rkd_online.service.schemas.job import Progress
from rkd_online.service.state import Status
from rkd_online.service.store import attempts, events, jobs
from rkd_online.service.store.counting import count
from rkd_online.service.store.tables import AttemptRow, JobRow
from rkd_online.service.web.problems import ApiError


async def accept(
    session: AsyncSession,
    job: JobRow,
    attempt: AttemptRow,
    sent: Sequence[RunEvent],
    now: datetime,
) -> Receipt:
    """Store what is new and move the job. An empty batch is a heartbeat.

    The caller holds the job's lock and has checked the attempt's token. A batch that was stored
    before is answered as the first time, so that a run may send it again when an answer was lost.
    """
    numbers = [event.number for event in sent]
    known = await events.known_numbers(session, job.id, attempt.number, numbers)
    new = {event.number: event for event in sent if event.number not in known}
    if new or not sent:
        _refuse_old(job, attempt)
    _count(session, attempt, new.values(), now)
    attempt.heartbeat_at = now
    for event in new.values():
        _take(session, job, attempt, event, now)
    return Receipt(accepted=len(new), status=job.status, changes=job.changes)


def _count(
    session: AsyncSession, attempt: AttemptRow, new: Iterable[RunEvent], now: datetime
) -> None:
    types = [event.type for event in new]
    count(session, lambda recorder: recorder.run_events(types))
    if attempt.heartbeat_at is not None:
        silence = (now - attempt.heartbeat_at).total_seconds()
        count(session, lambda recorder: recorder.report_after(silence))


def _refuse_old(job: JobRow, attempt: AttemptRow) -> None:
    if attempt.number < job.attempt:
        raise ApiError(
            409,
            "stale_attempt",
            f"attempt {attempt.number} of {job.id} reports, but attempt {job.attempt} has begun",
        )
    if attempt.ended_at is not None:
        raise ApiError(
            409, "attempt_ended", f"attempt {attempt.number} of {job.id} is over: {job.status}"
        )


def _take(
    session: AsyncSession, job: JobRow, attempt: AttemptRow, event: RunEvent, now: datetime
) -> None:
    data = event.model_dump(mode="json")["data"]
    events.append(session, job, event.type, data, now, event.number)
    if isinstance(event, StepDone):
        progress = Progress(steps=job.spec["steps"], at=now, report=event.data)
        job.progress = progress.model_dump(mode="json")
        job.tokens += _sampled(job, event)
    elif isinstance(event, CheckpointWritten):
        _accept_checkpoint(job, attempt, event)
    elif isinstance(event, Paused) and attempt.ended_at is None:
        _pause(session, job, attempt, now)
    elif event.type == "started" and job.status is Status.STARTING:
        jobs.move(session, job, Status.RUNNING, now)
    elif event.type == "finished" and attempt.ended_at is None:
        attempts.end(session, job, attempt, Outcome.SUCCEEDED, now)
        jobs.move(session, job, Status.SUCCEEDED, now)
    elif isinstance(event, Told) and event.type == "failed" and attempt.ended_at is None:
        _fail(session, job, attempt, event.data.message, now)


def _pause(session: AsyncSession, job: JobRow, attempt: AttemptRow, now: datetime) -> None:
    """A run that pauses although it is asked to stop leaves the cancel to the reconciler."""
    if job.status is Status.PAUSING:
        attempts.end(session, job, attempt, Outcome.PAUSED, now)
        jobs.move(session, job, Status.PAUSED, now)


def _sampled(job: JobRow, event: StepDone) -> int:
    """Completion tokens of a step's rollouts."""
    rollout = job.spec["rollout"]
    mean = event.data.metrics.get("rollout/completion_length", 0.0)
    rollouts: int = rollout["prompts_per_step"] * rollout["group_size"]
    return round(mean * rollouts)


def _accept_checkpoint(job: JobRow, attempt: AttemptRow, event: CheckpointWritten) -> None:
    path = event.data.path
    if path.split("/")[1] != str(attempt.number):
        raise ApiError(
            422,
            "foreign_checkpoint",
            f"attempt {attempt.number} cannot report the checkpoint {path!r} of another attempt",
        )
    job.checkpoint = {**event.data.model_dump(mode="json"), "attempt": attempt.number}


def _fail(
    session: AsyncSession, job: JobRow, attempt: AttemptRow, message: str, now: datetime
) -> None:
    """A run that is asked to stop often fails over it: the cancel then stands."""
    if job.status is not Status.STOPPING:
        attempts.end(session, job, attempt, Outcome.FAILED, now, message)
        jobs.move(session, job, Status.FAILED, now, message)
