"""The life of a job: its statuses and the moves between them, in one table."""

from collections.abc import Mapping
from enum import StrEnum

from rkd_online.errors import ServiceError


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.STARTING, Status.CANCELLED}),
    Status.STARTING: frozenset(
        {Status.RUNNING, Status.STOPPING, Status.QUEUED, Status.SUCCEEDED, Status.FAILED}
    ),
    Status.RUNNING: frozenset({Status.STOPPING, Status.QUEUED, Status.SUCCEEDED, Status.FAILED}),
    Status.STOPPING: frozenset({Status.CANCELLED, Status.SUCCEEDED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}
"""Every legal move. Back to ``queued`` means that an attempt was lost and the next one waits.
A run may finish while it is asked to stop; its result then stands."""

ACTIVE = frozenset({Status.STARTING, Status.RUNNING, Status.STOPPING})
"""Statuses in which an attempt holds a place on the cluster."""

TERMINAL = frozenset(status for status, targets in TRANSITIONS.items() if not targets)
"""Statuses that never change again."""

CANCEL: Mapping[Status, Status] = {
    Status.QUEUED: Status.CANCELLED,
    Status.STARTING: Status.STOPPING,
    Status.RUNNING: Status.STOPPING,
    Status.STOPPING: Status.STOPPING,
    Status.CANCELLED: Status.CANCELLED,
}
"""What a cancel leads to. The same status again is a repeated cancel: nothing happens."""


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


def cancel_target(current: Status) -> Status:
    """The status that a cancel leads to from here."""
    if current not in CANCEL:
        raise IllegalTransition(current, Status.CANCELLED)
    return CANCEL[current]
