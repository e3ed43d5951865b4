"""What lies in the memory of an actor, part by part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Role: TypeAlias = Literal["generator", "scorer", "learner", "weights in transit"]
Entry: TypeAlias = tuple[str, float, str]
"""A part in the making: its name, its bytes, and how they come about."""
GIB: Final = 1 << 30
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes, and in words how they come about."""

    name: str
    bytes: int
    words: str


@dataclass(frozen=True, slots=True)
class Moment:
    """What is held at once at some time of a job."""

    name: str
    parts: tuple[Part, ...]

    @property
    def bytes(self) -> int:
        """All of it."""
        return sum(part.bytes for part in self.parts)


@dataclass(frozen=True, slots=True)
class Actor:
    """One of ``count`` equal actors, whose memory is that of each of its GPUs, or on a CPU that of
    its process. ``field`` is the place in the job that sizes it."""

    role: Role
    field: str
    model: str
    count: int
    gpus: float
    moments: tuple[Moment, ...]

    @property
    def peak(self) -> Moment:
        """The moment that takes most."""
        return max(self.moments, key=lambda moment: moment.bytes)


def moment(name: str, parts: Sequence[Entry]) -> Moment:
    """A moment of its parts that are not empty."""
    return Moment(name, tuple(Part(one, round(size), words) for one, size, words in parts if size))


def count_words(number: float) -> str:
    """A count of parameters or operations, such as 8.19 B."""
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if number >= unit:
            return f"{number / unit:.2f} {name}"
    return f"{number:.0f}"
