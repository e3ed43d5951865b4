"""What every task offers: problems by split and index, and a verdict on an answer."""

from dataclasses import dataclass
from typing import Protocol

from rkd_online.types import Split


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem as text. ``difficulty`` names the group that it is reported under."""

    split: Split
    index: int
    messages: tuple[Message, ...]
    answer: str
    difficulty: str


class TaskSource(Protocol):
    """Problems that are the same on every machine and in every process."""

    name: str

    def size(self, split: Split) -> int:
        """Number of problems in a split."""
        ...

    def problem(self, split: Split, index: int) -> Problem:
        """The problem at ``index``, 0 <= index < size(split); no problem is in two splits."""
        ...

    def verify(self, problem: Problem, answer: str) -> float:
        """How right an extracted answer is, 0 to 1."""
        ...
