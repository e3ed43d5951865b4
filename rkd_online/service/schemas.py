"""What the API answers. Clients read these; no database or web package is imported here."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, NonNegativeInt, PositiveInt

from rkd_online.service.state import Status
from rkd_online.types import StepReport

Item = TypeVar("Item")


class Answer(BaseModel):
    """What the API answers: an older client ignores what it does not know."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)


class FieldError(Answer):
    """One thing that is wrong with a request."""

    field: str
    """Path of the field with dots; empty for the request as a whole."""
    message: str
    """What is wrong, with the value found and what is allowed."""
    value: JsonValue = None
    """The value that was found."""


class Problem(Answer):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    """Nothing beyond the status; read ``code``."""
    title: str
    """The HTTP status in words."""
    status: int
    """The HTTP status."""
    code: str
    """What went wrong, for programs."""
    detail: str
    """What went wrong, for people."""
    errors: list[FieldError] = []
    """Every field that is wrong."""
    current_status: Status | None = None
    """The job's status, where it forbids what was asked."""
    request_id: str
    """The id under which the server's log has this request."""


class Progress(Answer):
    """How far a job has come: its newest step report."""

    steps: int
    """Steps of the whole job."""
    at: datetime
    """When the report came."""
    report: StepReport
    """The report itself."""


class Checkpoint(BaseModel):
    """A checkpoint that counts, with whatever else its manifest says."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    attempt: PositiveInt
    """The attempt that wrote it."""
    step: NonNegativeInt
    """The step it was written after."""
    path: str
    """Its folder, relative to the job's."""


class Links(Answer):
    """Where to look further."""

    events: str
    """Its events."""
    stream: str
    """Its events as a stream."""
    report: str
    """Its report, once there is one."""
    data: str
    """Folder of its files."""
    ray_dashboard: str | None
    """Its newest run in Ray's dashboard."""


class JobRecord(Answer):
    """One job as the API shows it."""

    id: str
    """Its id."""
    name: str
    """The name in its spec."""
    status: Status
    """Where it stands."""
    spec: dict[str, Any]
    """The spec with every default filled in."""
    created_at: datetime
    """When it was submitted."""
    started_at: datetime | None
    """When its first run reported for the first time."""
    finished_at: datetime | None
    """When it reached its last status."""
    attempt: int
    """Number of its newest run; 0 before the first."""
    progress: Progress | None
    """Its newest step."""
    checkpoint: Checkpoint | None
    """The checkpoint from which it would go on."""
    error: str | None
    """Why it failed, and from which checkpoint another job can go on."""
    links: Links
    """Where to look further."""


class Event(Answer):
    """One thing that happened to a job."""

    number: int
    """Counts per job, without gaps; the id of the event in a stream."""
    at: datetime
    """When it was stored."""
    type: str
    """``status``, ``attempt_lost``, ``launch_delayed`` or the type of a run's report. ``lost`` is
    a run's own word for why it ends; ``attempt_lost``, with that as its cause, follows."""
    attempt: int
    """The attempt it belongs to; 0 before the first."""
    data: dict[str, Any]
    """What there is to say, by type."""


class StreamEnd(Answer):
    """The last message of an event stream."""

    status: Status
    """How the job ended."""


class Page(Answer, Generic[Item]):
    """A part of a list."""

    object: Literal["list"] = "list"
    """Always ``list``."""
    data: list[Item]
    """The entries."""
    has_more: bool
    """Whether there are more behind these."""
    next: str | None
    """What to pass as ``after`` for the next part."""


class Validation(Answer):
    """What a spec would run as."""

    spec: dict[str, Any]
    """The spec with every default filled in."""
    plan: str
    """What would be done, for people."""


class Health(Answer):
    """Whether this process does its work."""

    status: Literal["ok"]
    """Always ``ok``; anything else is a problem with status 503."""
    version: str
    """Version of rkd_online."""
