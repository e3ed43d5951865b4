"""How each bundled model is made: its size, its training and how reliable its examples are."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Recipe:
    """One model of a pair.

    ``corrupted`` is the share of steps in its training traces whose result is wrong.
    """

    name: str
    layers: int
    corrupted: float
    seed: int
    steps: int
    batch: int = 64


RECIPES: Final[dict[str, tuple[Recipe, ...]]] = {
    "chain-sum": (
        Recipe("teacher", layers=4, corrupted=0.0, seed=1, steps=1200),
        Recipe("student", layers=2, corrupted=0.35, seed=2, steps=800),
    )
}
"""What ``rkd zoo build`` trains for each pair."""
