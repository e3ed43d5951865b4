"""Requests for what a job leaves behind."""

from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import quote

from rkd_online.client.request import (
    Call,
    Download,
    download,
    download_text,
    get,
    get_bytes,
    get_json,
    path,
)
from rkd_online.service.schemas.answer import Page
from rkd_online.service.schemas.checkpoint import CheckpointFile, CheckpointRecord
from rkd_online.service.schemas.log import JobLog, LogRole
from rkd_online.service.schemas.metrics import Metrics
from rkd_online.service.schemas.rollout import RolloutRecord, RolloutTokens


def get_report(job_id: str) -> Call[dict[str, Any]]:
    """The job's ``report.json``."""
    return get_json(path("jobs", job_id, "report"))


def get_report_plot(job_id: str) -> Call[bytes]:
    """The job's ``report.png``."""
    return get_bytes(path("jobs", job_id, "report.png"))


def get_trace(job_id: str) -> Download[str]:
    """The job's trace so far, a file for trace viewers, in pieces as they come."""
    return download_text(f"the trace of {job_id}", path("jobs", job_id, "trace"))


def get_metrics(
    job_id: str,
    names: Iterable[str] = (),
    *,
    from_step: int | None = None,
    to_step: int | None = None,
    max_points: int | None = None,
) -> Call[Metrics]:
    """Metrics over the steps, 20 at most; without names the metrics that there are."""
    return get(
        Metrics,
        path("jobs", job_id, "metrics"),
        names=[*names] or None,
        from_step=from_step,
        to_step=to_step,
        max_points=max_points,
    )


def list_rollouts(
    job_id: str,
    *,
    step: int | None = None,
    group: int | None = None,
    min_reward: float | None = None,
    max_reward: float | None = None,
    correct: bool | None = None,
    task: str | None = None,
    after: str | None = None,
    limit: int = 20,
) -> Call[Page[RolloutRecord]]:
    """Rollouts that the job learned from, newest step first. A page may have few and yet another
    one behind it."""
    return get(
        Page[RolloutRecord],
        path("jobs", job_id, "rollouts"),
        step=step,
        group=group,
        min_reward=min_reward,
        max_reward=max_reward,
        correct=correct,
        task=task,
        after=after,
        limit=limit,
    )


def get_rollout(job_id: str, rollout_id: str) -> Call[RolloutTokens]:
    """One rollout, with what is known of each of its tokens."""
    return get(RolloutTokens, path("jobs", job_id, "rollouts", rollout_id))


def list_checkpoints(
    job_id: str, *, after: str | None = None, limit: int = 20
) -> Call[Page[CheckpointRecord]]:
    """The whole checkpoints that a job keeps, newest first."""
    where = path("jobs", job_id, "checkpoints")
    return get(Page[CheckpointRecord], where, after=after, limit=limit)


def list_files(
    job_id: str, checkpoint: str, *, after: str | None = None, limit: int = 100
) -> Call[Page[CheckpointFile]]:
    """The files of a checkpoint, with sizes and digests."""
    where = path("jobs", job_id, "checkpoints", checkpoint, "files")
    return get(Page[CheckpointFile], where, after=after, limit=limit)


def get_file(
    job_id: str, checkpoint: str, file: str, *, start: int = 0, etag: str | None = None
) -> Download[bytes]:
    """A file of a checkpoint in pieces, from byte ``start`` on. A part is asked for with the digest
    of the file as ``etag``, and refused where the file is another one."""
    where = path("jobs", job_id, "checkpoints", checkpoint, "files")
    return download(
        f"{file} of checkpoint {checkpoint}",
        f"{where}/{quote(file)}",
        start=start,
        etag=etag,
    )


def get_archive(job_id: str, checkpoint: str) -> Download[bytes]:
    """A whole checkpoint as a tar, in pieces."""
    where = path("jobs", job_id, "checkpoints", checkpoint, "archive")
    return download(f"checkpoint {checkpoint} of {job_id}", where)


def get_log(
    job_id: str,
    *,
    role: LogRole = "driver",
    index: int = 0,
    teacher: str | None = None,
    stream: Literal["out", "err"] = "err",
    attempt: int | None = None,
    tail: int = 200,
) -> Call[JobLog]:
    """The last lines that a run's driver or one of its workers wrote."""
    return get(
        JobLog,
        path("jobs", job_id, "logs"),
        role=role,
        index=index,
        teacher=teacher,
        stream=stream,
        attempt=attempt,
        tail=tail,
    )
