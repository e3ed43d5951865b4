"""How attempts end, in words of a closed set."""

from enum import StrEnum

from rkd_online.service.launchers.base import RunState


class Outcome(StrEnum):
    """What came of an attempt. ``PREEMPTED``: its cluster's queue took its room for another."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    LOST = "lost"
    PREEMPTED = "preempted"


class LossCause(StrEnum):
    """Why an attempt was lost. ``TOLD``: the run itself said so before it ended. ``FORGOTTEN``: the
    cluster does not know it, as after a restart of its head. ``NEVER_STARTED`` and ``SILENT``:
    nothing was heard of it at all, or no more."""

    TOLD = "told"
    FAILED = "failed"
    STOPPED = "stopped"
    FORGOTTEN = "forgotten"
    NEVER_STARTED = "never_started"
    SILENT = "silent"


CAUSE_OF = {
    RunState.FAILED: LossCause.FAILED,
    RunState.STOPPED: LossCause.STOPPED,
    RunState.UNKNOWN: LossCause.FORGOTTEN,
}
"""What the cluster's word for the end of a run means for an attempt that was to go on."""
