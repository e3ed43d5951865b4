"""The life of a job: its statuses and the moves between them, in one table."""

from collections.abc import Mapping
from enum import StrEnum

from rkd_online.errors import ServiceError


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.STARTING, Status.PAUSED, Status.CANCELLED}),
    Status.STARTING: frozenset(
        {
            Status.RUNNING,
            Status.PAUSING,
            Status.STOPPING,
            Status.QUEUED,
            Status.SUCCEEDED,
            Status.FAILED,
        }
    ),
    Status.RUNNING: frozenset(
        {Status.PAUSING, Status.STOPPING, Status.QUEUED, Status.SUCCEEDED, Status.FAILED}
    ),
    Status.PAUSING: frozenset({Status.PAUSED, Status.STOPPING, Status.SUCCEEDED, Status.FAILED}),
    Status.PAUSED: frozenset({Status.QUEUED, Status.CANCELLED}),
    Status.STOPPING: frozenset({Status.CANCELLED, Status.SUCCEEDED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}
"""Every legal move. Back to ``queued`` means that an attempt was lost, or a pause is over, and the
next one waits. A run may finish while it is asked to pause or to stop; its result then stands."""

ACTIVE = frozenset({Status.STARTING, Status.RUNNING, Status.PAUSING, Status.STOPPING})
"""Statuses in which an attempt holds a place on the cluster."""

TERMINAL = frozenset(status for status, targets in TRANSITIONS.items() if not targets)
"""Statuses that never change again."""


class Action(StrEnum):
    """What a user can ask of a job."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"


ACTIONS: Mapping[Action, Mapping[Status, Status]] = {
    Action.CANCEL: {
        Status.QUEUED: Status.CANCELLED,
        Status.STARTING: Status.STOPPING,
        Status.RUNNING: Status.STOPPING,
        Status.PAUSING: Status.STOPPING,
        Status.PAUSED: Status.CANCELLED,
        Status.STOPPING: Status.STOPPING,
        Status.CANCELLED: Status.CANCELLED,
    },
    Action.PAUSE: {
        Status.QUEUED: Status.PAUSED,
        Status.STARTING: Status.PAUSING,
        Status.RUNNING: Status.PAUSING,
        Status.PAUSING: Status.PAUSING,
        Status.PAUSED: Status.PAUSED,
    },
    Action.RESUME: {
        Status.QUEUED: Status.QUEUED,
        Status.STARTING: Status.STARTING,
        Status.RUNNING: Status.RUNNING,
        Status.PAUSED: Status.QUEUED,
    },
}
"""What an action leads to. The same status again means that it is so already: nothing happens. An
action that is not here for a status is illegal in it."""


class IllegalTransition(ServiceError):
    """A move that the table does not have."""

    def __init__(self, current: Status, asked: str) -> None:
        super().__init__(current, asked)
        self.current = current
        self.asked = asked

    def __str__(self) -> str:
        return f"a job that is {self.current} cannot become {self.asked}"


def check_move(current: Status, target: Status) -> None:
    """Raise `IllegalTransition` unless the table has this move."""
    if target not in TRANSITIONS[current]:
        raise IllegalTransition(current, target)


def target_of(action: Action, current: Status) -> Status:
    """The status that an action leads to from here."""
    found = ACTIONS[action].get(current)
    if found is None:
        raise IllegalTransition(current, DONE[action])
    return found


DONE: Mapping[Action, Status] = {
    Action.CANCEL: Status.CANCELLED,
    Action.PAUSE: Status.PAUSED,
    Action.RESUME: Status.QUEUED,
}
"""What each action is for."""
