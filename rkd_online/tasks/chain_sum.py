"""Built-in task: sums of single digits, written out step by step.

``3+5+8=`` is answered by ``3+5=8``, ``8+8=16`` and ``<answer>16</answer>``, one a line.
"""

import hashlib
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from rkd_online.errors import TaskError
from rkd_online.tasks.base import Message, Problem
from rkd_online.tasks.match import exact
from rkd_online.types import Split

Terms: TypeAlias = tuple[int, ...]

FEWEST_TERMS: Final = 2
MOST_TERMS: Final = 4
SUMS_PER_LENGTH: Final = 2000
"""Sums kept of each number of terms; without it nine sums in ten would have four terms."""

_SHARES: Final[dict[Split, tuple[float, float]]] = {
    "test": (0.0, 0.2),
    "validation": (0.2, 0.4),
    "train": (0.4, 1.0),
}


def question(terms: Sequence[int]) -> str:
    """The sum as it is asked: ``3+5+8=``."""
    return "+".join(map(str, terms)) + "="


def trace(terms: Sequence[int], add: Callable[[int, int], int] = operator.add) -> str:
    """The steps from left to right and the answer in its tag.

    ``add`` makes the next running total from the last one and the next term.
    """
    lines, total = [], terms[0]
    for term in terms[1:]:
        result = add(total, term)
        lines.append(f"{total}+{term}={result}")
        total = result
    return "\n".join([*lines, f"<answer>{total}</answer>"])


def sums(split: Split, min_terms: int, max_terms: int) -> tuple[Terms, ...]:
    """The sums of a split, in their fixed order.

    Each number of terms is spread evenly over the split, so every prefix of it, and every step of a
    training run, has the same mixture.
    """
    placed: list[tuple[float, Terms]] = []
    for count in range(min_terms, max_terms + 1):
        chosen = _share(split, count)
        placed += [((place + 0.5) / len(chosen), terms) for place, terms in enumerate(chosen)]
    return tuple(terms for _, terms in sorted(placed))


def _share(split: Split, count: int) -> list[Terms]:
    """The split's part of all sums with this many terms, in the order of their hashes."""
    ordered = sorted(itertools.product(range(10), repeat=count), key=_hash)[:SUMS_PER_LENGTH]
    start, end = (round(edge * len(ordered)) for edge in _SHARES[split])
    return ordered[start:end]


def _hash(terms: Terms) -> bytes:
    return hashlib.sha256(question(terms).encode()).digest()


class ChainSum:
    """Sums of single digits (0-9); difficulty is their number, ``min_terms`` to ``max_terms``.

    All sums of one length are ordered by hash and cut into test (20 %), validation (20 %) and train
    (60 %), so no sum is in two splits, whatever lengths a job asks for. Sizes by length:

    ======  =====  ==========  ====
    terms   train  validation  test
    ======  =====  ==========  ====
    2          60          20    20
    3         600         200   200
    4        1200         400   400
    all      1860         620   620
    ======  =====  ==========  ====
    """

    name = "chain_sum"

    def __init__(self, min_terms: int = FEWEST_TERMS, max_terms: int = MOST_TERMS) -> None:
        if not FEWEST_TERMS <= min_terms <= max_terms <= MOST_TERMS:
            raise TaskError(
                f"chain_sum has {FEWEST_TERMS} to {MOST_TERMS} terms, found min_terms {min_terms} "
                f"and max_terms {max_terms}: keep both in that range and in order"
            )
        self._sums: dict[Split, tuple[Terms, ...]] = {
            split: sums(split, min_terms, max_terms) for split in _SHARES
        }

    def size(self, split: Split) -> int:
        """Number of problems in a split."""
        return len(self._sums[split])

    def problem(self, split: Split, index: int) -> Problem:
        """The problem at ``index``."""
        terms = self._sums[split][index]
        return Problem(
            split=split,
            index=index,
            messages=(Message("user", question(terms)),),
            answer=str(sum(terms)),
            difficulty=f"{len(terms)} terms",
            task=self.name,
        )

    def verify(self, problem: Problem, answer: str) -> float:
        """1 for exactly the sum, spaces around it aside, else 0."""
        return float(exact(problem.answer, answer))
