"""How each bundled model is made: its size, its training and how reliable its examples are."""

from dataclasses import dataclass, replace
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Recipe:
    """One model of a pair.

    ``corrupted`` is the share of steps in its training traces whose result is wrong. ``heads`` have
    32 dimensions, and two share a key and a value. The same on one thread to the bit; several add
    up in another order from one machine to another. ``alike`` batches are drawn together and dealt
    by length; they divide the steps after which a cut training goes on. ``roll_calls`` are the
    examples before the first puzzle.
    """

    name: str
    layers: int
    seed: int
    steps: int
    corrupted: float = 0.0
    batch: int = 64
    heads: int = 4
    threads: int = 1
    alike: int = 1
    optimizer: Literal["adamw", "muon"] = "adamw"
    roll_calls: int = 0

    @property
    def width(self) -> int:
        """Of the residual stream."""
        return 32 * self.heads


PUZZLES: Final = Recipe(
    "", layers=0, seed=0, steps=0, batch=24, alike=4, optimizer="muon", roll_calls=6000
)
"""What the models of puzzles have in common."""
RECIPES: Final[dict[str, tuple[Recipe, ...]]] = {
    "chain-sum": (
        Recipe("teacher", layers=4, seed=1, steps=1200),
        Recipe("student", layers=2, seed=2, steps=800, corrupted=0.35),
        Recipe("novice", layers=1, seed=3, steps=320),
    ),
    "knights-knaves": (
        replace(PUZZLES, name="teacher", layers=4, heads=6, seed=1, steps=2000),
        replace(PUZZLES, name="student", layers=2, heads=4, seed=2, steps=720),
    ),
}
"""What ``rkd zoo build`` trains for each pair."""
