"""What the bundled models are taught: problems of the train split, each with its solution."""

import random
from collections.abc import Callable
from dataclasses import dataclass
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
CALLS: Final = 40
"""Names in a roll call."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """The text of a problem, and its solution in pieces, each with whether it is learned. The end
    token is not in them."""

    problem: str
    solution: tuple[tuple[str, bool], ...]


class Lessons(Protocol):
    """Problems and solutions, one after another."""

    def next(self) -> Lesson:
        """The next one."""
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

    def next(self) -> Lesson:
        """See Lessons."""
        terms = self._chance.choice(self._chance.choice(self._pools))
        return Lesson(question(terms), ((trace(terms, self._add), True),))

    def skip(self, count: int) -> None:
        """See Lessons."""
        for _ in range(count):
            self.next()


class Puzzles:
    """Knights and knaves, none of them twice, behind so many roll calls."""

    def __init__(self, roll_calls: int, seed: int) -> None:
        self._roll_calls = roll_calls
        self._seed = seed
        self._tasks = {
            people: ReasoningGym(puzzle_task(people, seed=seed, size=PUZZLES))
            for people in set(PEOPLE)
        }
        self._taken = 0

    def next(self) -> Lesson:
        """See Lessons."""
        people, place = PEOPLE[self._taken % len(PEOPLE)], self._taken
        self._taken += 1
        if place < self._roll_calls:
            return roll_call(people, random.Random(f"{self._seed} {place}"))
        problem = self._tasks[people].problem("train", place)
        return Lesson(problem.messages[0].content, ((knights.trace(problem.record), True),))

    def skip(self, count: int) -> None:
        """See Lessons."""
        self._taken += count


def roll_call(people: int, chance: random.Random) -> Lesson:
    """Names with their letters, and then names at random, of each of which the letter is learned.

    A puzzle asks for a handful of such letters among all else that it asks for, and a model that
    sees puzzles alone guesses them for thousands of steps.
    """
    from reasoning_gym.logic.knights_knaves import COMMON_NAMES

    named = list(zip(chance.sample(COMMON_NAMES, people), knights.LETTERS, strict=False))
    called = [chance.choice(named) for _ in range(CALLS)]
    pieces = [
        piece for name, letter in called for piece in ((f" {name}", False), (f" {letter}", True))
    ]
    return Lesson(knights.roll(named), tuple(pieces))


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
