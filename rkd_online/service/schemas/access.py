"""Projects, keys and the audit as the API answers them."""

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from rkd_online.service.access.scope import Scope
from rkd_online.service.schemas.answer import Answer

MOST: Final = 1_000_000
Count = Annotated[int, Field(ge=0, le=MOST)]


class Quota(BaseModel):
    """Limits of a project; null is no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    max_active_jobs: Count | None = None
    """Jobs that have a place on the cluster at the same time; more wait in the queue."""
    max_queued_jobs: Count | None = None
    """Jobs in the queue; more are refused."""
    max_gpus: Annotated[float, Field(ge=0, le=MOST)] | None = None
    """GPUs of its active jobs together; more wait in the queue."""


class Usage(Answer):
    """What a project uses now."""

    active_jobs: int
    """Jobs that have a place on the cluster."""
    queued_jobs: int
    """Jobs in the queue."""
    gpus: float
    """GPUs of its active jobs together."""


class ProjectRecord(Answer):
    """A project."""

    id: str
    """Its name."""
    created_at: datetime
    """When it was made."""
    revision: int
    """Counts its changes; the number in its ETag."""
    quota: Quota
    """Its limits."""
    usage: Usage
    """What it uses now."""


class KeyRecord(Answer):
    """An API key, without its secret."""

    id: str
    """The part of the key behind ``rkd_``."""
    name: str
    """What it is for."""
    project: str | None
    """The project it is good for; null is all of them."""
    scope: Scope
    """What it allows: ``viewer`` looks, ``submitter`` also runs jobs, ``admin`` also manages the
    keys and quotas of its project."""
    created_at: datetime
    """When it was made."""
    created_by: str | None
    """Id of the key that made it."""
    expires_at: datetime | None
    """When it ends by itself."""
    last_used_at: datetime | None
    """When it was used last, to the minute."""
    revoked_at: datetime | None
    """When it was revoked."""


class NewKeyRecord(KeyRecord):
    """A key that was just made."""

    key: str
    """The key itself. It is shown here and never again."""


class WhoAmI(Answer):
    """Whose key this is."""

    id: str
    """The key's id; ``local`` where keys are off."""
    name: str
    """What the key is for."""
    project: str | None
    """The project it is good for; null is all of them."""
    scope: Scope
    """What it allows."""


class AuditRecord(Answer):
    """Something that was done by a key."""

    number: int
    """Counts all entries; entries are never changed."""
    at: datetime
    """When it was done."""
    actor: str
    """Id of the key that did it."""
    project: str | None
    """The project it was done in; null for what is about all of them."""
    action: str
    """What was done, such as ``job.cancel``."""
    target: str
    """What it was done to."""
    address: str
    """Where the request came from."""
    request_id: str
    """The request's id."""
    data: dict[str, Any]
    """What there is to say, by action."""
