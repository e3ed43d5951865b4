"""Jobs as the API answers them."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from rkd_online.service.schemas.answer import Answer, is_none
from rkd_online.service.state import Status
from rkd_online.types import StepReport


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


class Budget(BaseModel):
    """What a job may use up, at least one of these. A job that has is paused, and goes on with a
    larger budget when it is resumed."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    wall_seconds: Annotated[float, Field(gt=0, le=1e12)] | None = Field(
        default=None, exclude_if=is_none
    )
    """Seconds that its attempts run, all together."""
    tokens: Annotated[int, Field(gt=0, le=10**15)] | None = Field(default=None, exclude_if=is_none)
    """Completion tokens that it samples to learn from."""
    gpu_hours: Annotated[float, Field(gt=0, le=1e12)] | None = Field(
        default=None, exclude_if=is_none
    )
    """Hours of each GPU that it reserves."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_dump():
            raise ValueError("give at least one of wall_seconds, tokens, gpu_hours, or no budget")
        return self


class Spent(Answer):
    """What a job has used up so far."""

    wall_seconds: float
    """Seconds that its attempts ran, all together."""
    tokens: int
    """Completion tokens that it sampled to learn from."""
    gpu_hours: float
    """Hours of each GPU that it reserved."""


class Links(Answer):
    """Where to look further."""

    events: str
    """Its events."""
    stream: str
    """Its events as a stream."""
    report: str
    """Its report, once there is one."""
    metrics: str
    """Its metrics over the steps."""
    rollouts: str
    """What it learned from."""
    checkpoints: str
    """Its checkpoints."""
    logs: str
    """What its runs print."""
    data: str
    """Folder of its files."""
    ray_dashboard: str | None
    """Its newest run in Ray's dashboard: its driver, actors and their logs."""
    ray_actors: str | None
    """Actors in that dashboard: search for ``rkd:`` and the job's id."""
    grafana: str | None
    """Its metrics in Grafana, where the control plane knows an address."""


class JobRecord(Answer):
    """One job as the API shows it."""

    id: str
    """Its id."""
    project: str
    """The project it belongs to."""
    name: str
    """The name in its spec."""
    labels: dict[str, str]
    """The labels it was given."""
    status: Status
    """Where it stands."""
    revision: int
    """Counts what was decided about it; the number in its ETag."""
    priority: int
    """Higher ones start first."""
    spec: dict[str, Any]
    """The spec with every default filled in, and with the changes made since."""
    changes: int
    """How often a running job's spec was changed."""
    budget: Budget | None
    """What it may use up."""
    spent: Spent
    """What it has used up."""
    created_at: datetime
    """When it was submitted."""
    created_by: str | None
    """Id of the key that submitted it."""
    started_at: datetime | None
    """When its first run reported for the first time."""
    finished_at: datetime | None
    """When it reached its last status."""
    waiting: str | None
    """Why it is still in the queue, as of the last look."""
    attempt: int
    """Number of its newest run; 0 before the first."""
    losses: int
    """How many of its runs were lost."""
    progress: Progress | None
    """Its newest step."""
    checkpoint: Checkpoint | None
    """The checkpoint from which it would go on."""
    error: str | None
    """Why it failed, and from which checkpoint another job can go on."""
    links: Links
    """Where to look further."""


class Verdict(Answer):
    """Whether a job could start now."""

    fits: bool | None
    """Whether the cluster could hold it; null where the cluster does not tell."""
    detail: str
    """The arithmetic: what it needs, what there is, what its project's quota leaves."""


class Validation(Answer):
    """What a spec would run as."""

    spec: dict[str, Any]
    """The spec with every default filled in."""
    plan: str
    """What would be done, for people."""
    cpus: float
    """Logical CPUs that its actors reserve."""
    gpus: float
    """GPUs that its actors reserve."""
    verdict: Verdict
    """Whether it could start now."""
