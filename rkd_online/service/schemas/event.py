"""A job's events as the API answers them."""

from datetime import datetime
from typing import Any

from rkd_online.service.schemas.answer import Answer
from rkd_online.service.state import Status


class Event(Answer):
    """One thing that happened to a job."""

    number: int
    """Counts per job, without gaps; the id of the event in a stream."""
    at: datetime
    """When it was stored."""
    type: str
    """``status``, ``attempt_lost``, ``attempt_preempted``, ``launch_delayed`` or the type of a
    run's report. ``lost`` is a run's own word for why it ends; ``attempt_lost``, with that as its
    cause, follows."""
    attempt: int
    """The attempt it belongs to; 0 before the first."""
    data: dict[str, Any]
    """What there is to say, by type."""


class StreamEnd(Answer):
    """The last message of an event stream."""

    status: Status
    """How the job ended."""
