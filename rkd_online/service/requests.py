"""What callers send: a job with what the service is to know of it, keys, projects."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from rkd_online.service.access.scope import Scope
from rkd_online.service.schemas.access import Quota
from rkd_online.service.schemas.answer import is_none
from rkd_online.service.schemas.job import Budget
from rkd_online.spec.changes import Changes
from rkd_online.spec.job import JobName, JobSpec

MOST_LABELS: Final = 16

ProjectName = JobName
LabelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/@:+-]{0,63}$")]
Labels = Annotated[dict[LabelName, LabelValue], Field(max_length=MOST_LABELS)]
Priority = Annotated[int, Field(ge=-100, le=100)]


def _in_utc(moment: datetime) -> datetime:
    """A time at the edge of what there is has none in another zone."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{moment} is not a time that can be kept") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
ABOUT_THE_JOB: Final = ("project", "labels", "priority", "budget")
"""What a request has beside the spec."""


class JobRequest(JobSpec):
    """A job to be queued: its spec, and beside it what the service is to know."""

    project: ProjectName | None = Field(default=None, exclude_if=is_none)
    """The project it belongs to; the key's own where none is named."""
    labels: Labels = Field(default_factory=dict)
    """Names and values of your own, to find jobs by."""
    priority: Priority = 0
    """Higher ones start first."""
    budget: Budget | None = None
    """What it may use up before it is paused."""

    def spec(self) -> dict[str, Any]:
        """The spec alone."""
        return self.model_dump(mode="json", exclude=set(ABOUT_THE_JOB))


class Request(BaseModel):
    """What a caller sends: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class JobPatch(Changes):
    """What is to be different about a job, at least one thing. Changes of its spec hold from the
    next step on, which the event ``changed`` tells."""

    labels: Labels | None = Field(default=None, exclude_if=is_none)
    """New labels, in place of all that it has."""
    priority: Priority | None = Field(default=None, exclude_if=is_none)
    """New priority."""
    budget: Budget | None = None
    """New budget; null takes it away."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            fields = ", ".join(type(self).model_fields)
            raise ValueError(f"nothing is changed: give at least one of {fields}")
        return self

    @property
    def changes(self) -> Changes | None:
        """The part that the run has to take."""
        given = self.model_dump(include=set(Changes.model_fields))
        return Changes.model_validate(given) if given else None


class KeyRequest(Request):
    """A key to be made."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]+$")]
    """What it is for."""
    project: ProjectName | None = None
    """The project it is good for; null is all of them, or the project of the key that asks."""
    scope: Scope
    """What it allows."""
    expires_at: Moment | None = None
    """When it ends by itself."""


class ProjectRequest(Request):
    """A project to be made."""

    id: ProjectName
    """Lower-case letters, digits and dashes, 40 at most."""
    quota: Quota = Quota()
    """Its limits."""


class ProjectPatch(Request):
    """A project's new limits."""

    quota: Quota
    """All of them: what is left out has no limit."""


def in_future(moment: datetime | None, now: datetime) -> bool:
    """Whether a key that ends then can still be used."""
    return moment is None or moment > now
