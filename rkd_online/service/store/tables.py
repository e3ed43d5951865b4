"""Jobs, their attempts and events. A change here needs a migration: a test compares the two."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from rkd_online.service.state import Status
from rkd_online.service.store.columns import Base, JsonColumn, TextColumn, UtcDateTime, WordColumn


class JobRow(Base):
    """One job.

    ``attempt`` is the fencing token, ``last_event`` the newest event's number, ``revision`` counts
    what users and the reconciler decided about it. ``losses`` are the attempts that were lost:
    paused ones do not count. It does not start before ``ready_at``; ``waiting`` is why it does not
    start although it is ready.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "status", "priority", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(40))
    labels: Mapped[dict[str, str]] = mapped_column(JsonColumn)
    status: Mapped[Status] = mapped_column(WordColumn(Status))
    revision: Mapped[int] = mapped_column(default=1)
    priority: Mapped[int] = mapped_column(default=0)
    spec: Mapped[dict[str, Any]] = mapped_column(JsonColumn)
    changes: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    budget: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    cpus: Mapped[float]
    gpus: Mapped[float]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str | None] = mapped_column(String(32))
    ready_at: Mapped[datetime] = mapped_column(UtcDateTime)
    waiting: Mapped[str | None] = mapped_column(TextColumn)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempt: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    last_event: Mapped[int] = mapped_column(default=0)
    run_seconds: Mapped[float] = mapped_column(default=0.0)
    tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    progress: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    checkpoint: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    error: Mapped[str | None] = mapped_column(TextColumn)


class AttemptRow(Base):
    """One run of a job. It is over at ``ended_at``; its place on the cluster is free at
    ``released_at``. ``trouble`` is why it waits, or what ended it. Until ``lease_until`` only
    ``lease_owner`` looks after it."""

    __tablename__ = "attempts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    token_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    launched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stopping_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    lease_owner: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    trouble: Mapped[str | None] = mapped_column(TextColumn)


class EventRow(Base):
    """One thing that happened to a job. ``number`` counts per job, without gaps.

    ``run_number`` is the run's own number of it, null for what the control plane noted itself."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("job_id", "attempt", "run_number"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    type: Mapped[str] = mapped_column(String(32))
    attempt: Mapped[int]
    run_number: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(JsonColumn)
