"""What every task offers: problems by split and index, and what a reward sees of an answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from rkd_online.types import FailureCause, FinishReason, Split


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem as text. ``difficulty`` names the group that it is reported under, ``task`` the
    task, or the part of a mixture, that it is of.

    ``record`` is what it was made from: a record of a file, an entry of reasoning-gym; empty for
    built-in tasks.
    """

    split: Split
    index: int
    messages: tuple[Message, ...]
    answer: str
    difficulty: str
    task: str
    record: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer to a problem. ``text`` is without its end token, which ``tokens`` counts."""

    text: str
    tokens: int
    finish_reason: FinishReason


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be judged."""

    cause: FailureCause
    detail: str


Verifier: TypeAlias = Callable[[Problem, str], float]
"""How right an extracted answer to a problem is, 0 to 1."""


class TaskSource(Protocol):
    """Problems that are the same on every machine and in every process."""

    name: str

    def size(self, split: Split) -> int:
        """Number of problems in a split."""
        ...

    def problem(self, split: Split, index: int) -> Problem:
        """The problem at ``index``, 0 <= index < size(split); no problem is in two splits."""
        ...
