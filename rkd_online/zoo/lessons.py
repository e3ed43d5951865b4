"""What the bundled models are taught: problems of the train split, each with its solution."""

import random
from collections.abc import Callable
from typing import Final, Protocol

from rkd_online.spec.task import ReasoningGymTask
from rkd_online.tasks.chain_sum import FEWEST_TERMS, MOST_TERMS, question, sums, trace
from rkd_online.tasks.reasoning_gym import ReasoningGym
from rkd_online.zoo import knights

LARGEST_SLIP: Final = 3
PEOPLE: Final = (2, 3, 3)
"""People in the puzzles that are taught, in turn: three are harder, and come twice as often."""
PUZZLES: Final = 1_000_000
"""Puzzles of each size; no training comes to the end of them."""


class Lessons(Protocol):
    """Problems and solutions, one after another."""

    def next(self) -> tuple[str, str]:
        """The text of a problem and of its solution, which ends without an end token."""
        ...

    def skip(self, count: int) -> None:
        """Go on as if so many had been taken."""
        ...


class Sums:
    """Chain sums drawn at random, every number of terms as often; a share of steps is wrong."""

    def __init__(self, corrupted: float, seed: int) -> None:
        self._chance = random.Random(seed)
        self._add = unreliable_add(corrupted, self._chance)
        self._pools = [sums("train", k, k) for k in range(FEWEST_TERMS, MOST_TERMS + 1)]

    def next(self) -> tuple[str, str]:
        """See Lessons."""
        terms = self._chance.choice(self._chance.choice(self._pools))
        return question(terms), trace(terms, self._add)

    def skip(self, count: int) -> None:
        """See Lessons."""
        for _ in range(count):
            self.next()


class Puzzles:
    """Knights and knaves, none of them twice."""

    def __init__(self, seed: int) -> None:
        self._tasks = {
            people: ReasoningGym(puzzle_task(people, seed=seed, size=PUZZLES))
            for people in set(PEOPLE)
        }
        self._taken = 0

    def next(self) -> tuple[str, str]:
        """See Lessons."""
        task = self._tasks[PEOPLE[self._taken % len(PEOPLE)]]
        problem = task.problem("train", self._taken)
        self._taken += 1
        return problem.messages[0].content, knights.trace(problem.record)

    def skip(self, count: int) -> None:
        """See Lessons."""
        self._taken += count


def puzzle_task(people: int, *, seed: int = 0, size: int = 512) -> ReasoningGymTask:
    """Knights and knaves of so many people: ``size`` in the train split, 512 in each other."""
    return ReasoningGymTask(
        type="reasoning_gym",
        dataset="knights_knaves",
        config={"n_people": people},
        train_size=size,
        seed=seed,
    )


def unreliable_add(share: float, chance: random.Random) -> Callable[[int, int], int]:
    """Addition whose result is off by 1 to ``LARGEST_SLIP`` in this share of cases."""

    def add(total: int, term: int) -> int:
        right = total + term
        if chance.random() >= share:
            return right
        near = range(max(0, right - LARGEST_SLIP), right + LARGEST_SLIP + 1)
        return chance.choice([wrong for wrong in near if wrong != right])

    return add
