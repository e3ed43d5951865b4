"""The ways in which a model answers when it is measured."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Decoding: TypeAlias = Literal["temperature_1", "papers", "greedy"]


@dataclass(frozen=True, slots=True)
class Distribution:
    """What an answer is drawn from: temperature 0 is the single most likely answer, token by token.
    ``words`` are for people."""

    temperature: float
    top_p: float
    words: str


DISTRIBUTIONS: Final[dict[Decoding, Distribution]] = {
    "temperature_1": Distribution(1.0, 1.0, "temperature 1"),
    "papers": Distribution(0.6, 0.95, "temperature 0.6, top-p 0.95"),
    "greedy": Distribution(0.0, 1.0, "greedy"),
}
"""``temperature_1`` is the distribution that is trained. ``papers`` is how reasoning models are
usually reported since DeepSeek-R1 (arXiv 2501.12948)."""


def answers_per_prompt(decoding: Decoding, samples: int) -> int:
    """Answers that a prompt gets: ``samples``, and one where they would all be the same."""
    return 1 if DISTRIBUTIONS[decoding].temperature == 0 else samples
