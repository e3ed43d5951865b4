"""The cells of the comparison, each a task with a pair, and how much is run of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Cell:
    """One task and one pair. ``steps`` are those after which all methods are compared."""

    name: str
    title: str
    student: str
    teacher: str
    kind: str
    task: Mapping[str, Any]
    max_new_tokens: int
    prompts_per_step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of the comparison is run.

    ``rates`` are the learning rates that every method is tuned over, with the first of
    ``tuning_seeds`` and on; ``every`` is the number of steps between validations and between
    checkpoints; ``stored`` are prompts of the teacher's store, for the method that learns offline.
    ``priced_rounds`` jobs of ``priced_steps`` steps each say what a step of a method costs.
    """

    name: str
    rates: tuple[float, ...]
    tuning_seeds: tuple[int, ...]
    seeds: tuple[int, ...]
    alphas: tuple[float, ...]
    every: int
    prompts: int
    samples: int
    validation_prompts: int
    validation_samples: int
    stored: int
    most_steps: int
    priced_rounds: int
    priced_steps: int


FULL: Final = Effort(
    name="full",
    rates=(3e-5, 1e-4, 3e-4, 1e-3, 3e-3),
    tuning_seeds=(100,),
    seeds=(0, 1, 2),
    alphas=(0.1, 0.3, 0.7, 0.9),
    every=5,
    prompts=512,
    samples=4,
    validation_prompts=128,
    validation_samples=2,
    stored=512,
    most_steps=1_000,
    priced_rounds=2,
    priced_steps=8,
)
QUICK: Final = Effort(
    name="quick",
    rates=(1e-4,),
    tuning_seeds=(100,),
    seeds=(0,),
    alphas=(),
    every=1,
    prompts=16,
    samples=1,
    validation_prompts=8,
    validation_samples=1,
    stored=32,
    most_steps=2,
    priced_rounds=1,
    priced_steps=3,
)
"""Shows that everything works; its numbers mean nothing."""
EFFORTS: Final = {one.name: one for one in (FULL, QUICK)}

GROUP: Final = 8
SUMS: Final[Mapping[str, Any]] = {"type": "chain_sum"}


def _puzzles(people: int) -> dict[str, Any]:
    return {
        "name": f"people-{people}",
        "task": {
            "type": "reasoning_gym",
            "dataset": "knights_knaves",
            "config": {"n_people": people},
        },
    }


PUZZLES: Final[Mapping[str, Any]] = {"type": "mixture", "parts": [_puzzles(2), _puzzles(3)]}

CELLS: Final = {
    cell.name: cell
    for cell in (
        Cell(
            name="sums-unreliable",
            title="Sums, an unreliable student",
            student="zoo:chain-sum/student",
            teacher="zoo:chain-sum/teacher",
            kind="unreliable: it knows the procedure and slips",
            task=SUMS,
            max_new_tokens=64,
            prompts_per_step=32,
            steps=60,
        ),
        Cell(
            name="sums-limited",
            title="Sums, a limited student",
            student="zoo:chain-sum/novice",
            teacher="zoo:chain-sum/teacher",
            kind="limited: smaller and briefly taught",
            task=SUMS,
            max_new_tokens=64,
            prompts_per_step=32,
            steps=60,
        ),
        Cell(
            name="puzzles-limited",
            title="Knights and knaves, a limited student",
            student="zoo:knights-knaves/student",
            teacher="zoo:knights-knaves/teacher",
            kind="limited: smaller and briefly taught",
            task=PUZZLES,
            max_new_tokens=192,
            prompts_per_step=16,
            steps=60,
        ),
    )
}
