"""Requests about projects, keys and the audit."""

from dataclasses import replace
from datetime import datetime

from rkd_online.client.request import Call, change, get, given, path
from rkd_online.errors import ServiceError
from rkd_online.service.access.keys import key_id as id_in
from rkd_online.service.access.scope import Scope
from rkd_online.service.schemas.access import (
    AuditRecord,
    KeyRecord,
    NewKeyRecord,
    ProjectRecord,
    Quota,
    WhoAmI,
)
from rkd_online.service.schemas.answer import Page


def make_project(
    name: str, quota: Quota | None = None, *, idempotency_key: str | None = None
) -> Call[ProjectRecord]:
    """Make a project."""
    body = given(id=name, quota=quota)
    return change("POST", ProjectRecord, path("projects"), body, key=idempotency_key)


def list_projects(*, after: str | None = None, limit: int = 20) -> Call[Page[ProjectRecord]]:
    """Projects with their quotas and what they use, by name."""
    return get(Page[ProjectRecord], path("projects"), after=after, limit=limit)


def get_project(name: str) -> Call[ProjectRecord]:
    """One project."""
    return get(ProjectRecord, path("projects", name))


def set_quota(
    project: ProjectRecord, quota: Quota, *, idempotency_key: str | None = None
) -> Call[ProjectRecord]:
    """Set all limits of a project as it was read: what the quota leaves out has no limit."""
    return change(
        "PATCH",
        ProjectRecord,
        path("projects", project.id),
        {"quota": quota.model_dump(mode="json")},
        key=idempotency_key,
        revision=project.revision,
    )


def make_key(
    name: str,
    scope: Scope,
    *,
    project: str | None = None,
    expires_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Call[NewKeyRecord]:
    """Make a key. Its secret is in this answer and nowhere else."""
    body = given(name=name, scope=scope, project=project, expires_at=expires_at)
    made = change("POST", NewKeyRecord, path("api-keys"), body, key=idempotency_key)
    return replace(made, read=_new_key)


def list_keys(
    *, project: str | None = None, after: str | None = None, limit: int = 20
) -> Call[Page[KeyRecord]]:
    """Keys without their secrets, newest first."""
    return get(Page[KeyRecord], path("api-keys"), project=project, after=after, limit=limit)


def get_key(key_id: str) -> Call[KeyRecord]:
    """One key, without its secret."""
    return get(KeyRecord, path("api-keys", key_id))


def rotate_key(key_id: str, *, idempotency_key: str | None = None) -> Call[NewKeyRecord]:
    """A new key that is good for the same, and the old one revoked."""
    where = path("api-keys", key_id, "rotate")
    return replace(change("POST", NewKeyRecord, where, key=idempotency_key), read=_new_key)


def revoke_key(key_id: str, *, idempotency_key: str | None = None) -> Call[KeyRecord]:
    """End a key at once; again does nothing."""
    return change("DELETE", KeyRecord, path("api-keys", key_id), key=idempotency_key)


def list_audit(
    *, project: str | None = None, after: int | None = None, limit: int = 100
) -> Call[Page[AuditRecord]]:
    """What was done, newest first."""
    return get(Page[AuditRecord], path("audit"), project=project, after=after, limit=limit)


def get_whoami() -> Call[WhoAmI]:
    """What this client's key is good for."""
    return get(WhoAmI, path("whoami"))


def _new_key(content: bytes) -> NewKeyRecord:
    """The service keeps no secret, so a request that had to be sent twice has lost its own."""
    record = NewKeyRecord.model_validate_json(content)
    if id_in(record.key) is None:
        raise ServiceError(
            f"key {record.id} ({record.name}) was made, but the answer that showed it was lost: "
            f"`rkd keys rotate {record.id}` makes one that is good for the same"
        )
    return record
