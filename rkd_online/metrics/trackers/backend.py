"""What a tracker has to be able to do, and how it says that it cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from rkd_online.types import StepReport


class Refused(Exception):
    """What was sent is not taken, and would not be if it were sent again."""


class Unusable(Exception):
    """This tracker gets nothing of the whole attempt."""


class Outcome(StrEnum):
    """How an attempt ended."""

    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    SUPERSEDED = "superseded"
    """A newer attempt reports: nothing more is to be said of this one."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an attempt, and the files that it leaves for people."""

    outcome: Outcome
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Stamped:
    """A step's report, and when it was made."""

    seconds: float
    report: StepReport


class Backend(Protocol):
    """Where a tracker writes. Called from one thread; whatever a call raises, but the two errors
    above, it is called again with the same."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def start(self) -> None:
        """Be ready to write."""
        ...

    def write(self, reports: Sequence[Stamped]) -> None:
        """Take these steps, in order. Those that were taken before are not doubled."""
        ...

    def end(self, ending: Ending) -> None:
        """Nothing more is coming."""
        ...
