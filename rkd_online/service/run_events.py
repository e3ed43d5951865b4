"""What a run reports about itself, and the answer to it."""

from pathlib import PurePosixPath
from typing import Annotated, Final, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeInt,
    PositiveInt,
)

from rkd_online.service.schemas.answer import Answer
from rkd_online.service.state import Status
from rkd_online.spec.changes import Changes, ChangesSoFar
from rkd_online.types import StepReport


class Sent(BaseModel):
    """What a run sends: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _inside_attempt(path: str) -> str:
    """A checkpoint lies in the folder of the attempt that wrote it, and nowhere else."""
    parts = PurePosixPath(path).parts
    if parts[:1] != ("attempts",) or ".." in parts or len(parts) != 4 or parts[2] != "checkpoints":
        raise ValueError(
            f"{path!r} is not of the form attempts/N/checkpoints/NAME, relative to the job's folder"
        )
    return path


class Message(Sent):
    """Text for people."""

    message: str
    """The text."""


class CheckpointManifest(BaseModel):
    """What a run says about a checkpoint that is written whole. Other keys are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    step: NonNegativeInt
    """The step it was written after."""
    path: Annotated[str, AfterValidator(_inside_attempt)]
    """Its folder, relative to the job's: ``attempts/N/checkpoints/NAME``."""


class Numbered(Sent):
    """A run numbers its events from 1, so that one sent twice is stored once."""

    number: PositiveInt
    """The run's own number of this event."""


class Noted(Numbered):
    """An event whose data is only kept."""

    type: Literal["started", "evaluation", "finished"]
    """``started``: the run is up. ``finished``: the job is done, its report is written."""
    data: dict[str, JsonValue] = {}
    """Whatever the run wants to say."""


class StepDone(Numbered):
    """A step ended."""

    type: Literal["step"]
    """Names this event."""
    data: StepReport
    """What the step did."""


class CheckpointWritten(Numbered):
    """A checkpoint is written whole; it counts once this is accepted."""

    type: Literal["checkpoint"]
    """Names this event."""
    data: CheckpointManifest
    """The checkpoint."""


class PhaseSwitch(Sent):
    """Another algorithm takes over."""

    step: PositiveInt
    """The first step of the phase."""
    phase: PositiveInt
    """The phase, counted from 0."""
    before: str
    """Type of the algorithm so far."""
    after: str
    """Type of the algorithm from now on."""
    reason: str
    """Why the phase before ended."""


class PhaseBegun(Numbered):
    """A phase of the job begins; its first one begins with the job."""

    type: Literal["phase"]
    """Names this event."""
    data: PhaseSwitch
    """The switch."""


class EarlyStop(Sent):
    """The job ends before its steps."""

    step: PositiveInt
    """Its last step."""
    reason: str
    """Why it ends."""


class StoppedEarly(Numbered):
    """A job ends before its steps, as it asked for."""

    type: Literal["early_stop"]
    """Names this event."""
    data: EarlyStop
    """The stop."""


class Advice(Sent):
    """Something that the run found wrong with itself, and what to do."""

    step: PositiveInt
    """The step after which it was found."""
    name: str
    """Which warning it is."""
    message: str
    """What was measured, what it means, what to change."""


class Warned(Numbered):
    """Something is wrong with a job, which goes on."""

    type: Literal["warning"]
    """Names this event."""
    data: Advice
    """The warning."""


class ChangeTaken(Sent):
    """The run goes on by changed values."""

    step: PositiveInt
    """The first step that runs with them; the job's last one where no step is left."""
    number: PositiveInt
    """How many changes to the job they hold."""
    values: Changes
    """The newest value of everything that was ever changed."""


class Changed(Numbered):
    """A job goes on by other values than before."""

    type: Literal["changed"]
    """Names this event."""
    data: ChangeTaken
    """The changes."""


class Pause(Sent):
    """The run ends, and another one can go on."""

    step: NonNegativeInt
    """The last step that is done; its checkpoint lies there and was reported."""


class Paused(Numbered):
    """The run ends here, as it was asked to."""

    type: Literal["paused"]
    """Names this event."""
    data: Pause
    """Where it ends."""


class Told(Numbered):
    """A line for people. ``failed`` ends the job: another run would meet the same error. ``lost``
    is why this run is about to end, where another one may get further."""

    type: Literal["log", "lost", "failed"]
    """Names this event."""
    data: Message
    """The text."""


RunEvent = Annotated[
    Noted
    | StepDone
    | CheckpointWritten
    | PhaseBegun
    | StoppedEarly
    | Warned
    | Changed
    | Paused
    | Told,
    Field(discriminator="type"),
]
RunEvents = Annotated[list[RunEvent], Field(max_length=1000)]
EVENT_TYPES: Final[tuple[str, ...]] = tuple(
    word
    for model in get_args(get_args(RunEvent)[0])
    for word in get_args(model.model_fields["type"].annotation)
)
"""Every type of event that a run can send."""


class Receipt(Answer):
    """The answer to a batch of events."""

    accepted: int
    """Events that were new."""
    status: Status
    """The job's status now; ``stopping`` asks the run to end, ``pausing`` to end behind a
    checkpoint of the step under way."""
    changes: ChangesSoFar | None = None
    """All changes that were made to the job; the run takes them with its next step."""
