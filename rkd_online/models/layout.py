"""Where sequences lie in a pack: each prompt once, then its completions, then the next prompt.

The last token of a completion predicts nothing, so it is no input and has no place.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rkd_online.types import TokenIds

Sequences: TypeAlias = Sequence[tuple[TokenIds, TokenIds]]
"""B pairs of prompt and completion, both of at least one token."""


class Segment(NamedTuple):
    """``length`` tokens from ``start`` of the pack, the first at ``position`` of its sequence.

    ``prompt`` is the number of its prompt; ``sibling`` is 0 for the prompt itself, and for a
    completion 1 more than its row.
    """

    prompt: int
    sibling: int
    start: int
    length: int
    position: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The segments of a pack of ``tokens`` tokens: prompts by number, completions by row."""

    prompts: list[Segment]
    completions: list[Segment]
    tokens: int

    def in_order(self) -> list[Segment]:
        """All segments as they follow each other."""
        return sorted([*self.prompts, *self.completions], key=lambda one: (one.start, one.sibling))


def lay_out(sequences: Sequences) -> tuple[TokenIds, Layout]:
    """The input ids of a pack and its layout; rows of one prompt share it, whatever their order.

    Raises ValueError for a prompt or a completion without tokens.
    """
    check_lengths(sequences)
    ids = array("q")
    prompts: list[Segment] = []
    completions: dict[int, Segment] = {}
    for number, rows in enumerate(siblings([prompt for prompt, _ in sequences])):
        prompt = sequences[rows[0]][0]
        prompts.append(Segment(number, 0, len(ids), len(prompt), 0))
        ids.extend(prompt)
        for row in rows:
            inputs = sequences[row][1][:-1]
            completions[row] = Segment(number, row + 1, len(ids), len(inputs), len(prompt))
            ids.extend(inputs)
    return ids, Layout(prompts, [completions[row] for row in range(len(sequences))], len(ids))


def siblings(prompts: Sequence[TokenIds]) -> list[list[int]]:
    """Rows of equal prompts together, in the order of their first ones."""
    rows: dict[bytes, list[int]] = {}
    for row, prompt in enumerate(prompts):
        rows.setdefault(prompt.tobytes(), []).append(row)
    return list(rows.values())


def check_lengths(sequences: Sequences) -> None:
    """Raise ValueError for a prompt or a completion without tokens."""
    prompts = [len(prompt) for prompt, _ in sequences]
    completions = [len(completion) for _, completion in sequences]
    if min(prompts) == 0 or min(completions) == 0:
        raise ValueError(f"prompts of {prompts} and completions of {completions} tokens")
