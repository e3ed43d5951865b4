"""Projects, their keys, what was done with them, and answers that can be given again.

A change here needs a migration: a test compares the two.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from rkd_online.service.access.scope import Scope
from rkd_online.service.store.columns import Base, JsonColumn, TextColumn, UtcDateTime, WordColumn

DEFAULT_PROJECT = "default"


class ProjectRow(Base):
    """What keys and jobs belong to, with its quotas; null is no limit."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(default=1)
    max_active_jobs: Mapped[int | None]
    max_queued_jobs: Mapped[int | None]
    max_gpus: Mapped[float | None]


class KeyRow(Base):
    """A key. Its secret is not kept, only a keyed digest; without a project it is good for all."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(80))
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id"), index=True)
    scope: Mapped[Scope] = mapped_column(WordColumn(Scope))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str | None] = mapped_column(String(32))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditRow(Base):
    """Who changed what. The database itself refuses to change or delete one."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(32))
    project_id: Mapped[str | None] = mapped_column(String(40), index=True)
    action: Mapped[str] = mapped_column(String(40))
    target: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64))
    data: Mapped[dict[str, Any]] = mapped_column(JsonColumn)


class AnswerRow(Base):
    """The answer to a request with an idempotency key. ``status`` is 0 while it is being made."""

    __tablename__ = "answers"

    owner: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    status: Mapped[int] = mapped_column(default=0)
    headers: Mapped[dict[str, str]] = mapped_column(JsonColumn)
    body: Mapped[str] = mapped_column(TextColumn)
