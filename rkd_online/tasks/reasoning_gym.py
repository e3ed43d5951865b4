"""Any task of reasoning-gym: its problems, its own verifier as the reward.

reasoning-gym makes a problem from a seed, and small tasks make the same problem from many seeds. So
the split of a problem follows from a hash of its question, never from its seed. Each place of a
split has its own sequence of seeds and takes the first whose question belongs to that split: any
place can be found without the ones before it. Within one split a small task does repeat itself.
"""

import hashlib
import logging
import math
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from rkd_online.errors import TaskError
from rkd_online.spec.reasoning_gym import (
    COMPOSITE,
    dataset_config,
    dataset_names,
    reasoning_gym_problems,
)
from rkd_online.spec.task import ReasoningGymTask
from rkd_online.tasks.base import Message, Problem
from rkd_online.types import Split

if TYPE_CHECKING:
    from reasoning_gym.factory import ProceduralDataset

log = logging.getLogger(__name__)

SHARES: Final[dict[Split, tuple[float, float]]] = {
    "test": (0.0, 0.2),
    "validation": (0.2, 0.4),
    "train": (0.4, 1.0),
}
"""Which part of all questions, ordered by hash from 0 to 1, belongs to each split."""

MOST_DRAWS: Final = 128
"""A split with a fifth of the questions is missed as often in a row with a chance of 4e-13."""

HASH_DEPENDENT: Final = frozenset(
    {
        "isomorphic_strings",
        "knight_swap",
        "polynomial_multiplication",
        "ransom_note",
        "word_ladder",
    }
)
"""Datasets that walk through sets of strings, so that their problems follow Python's hash seed."""

WIDEST_LEVELS: Final = 16
"""A setting that takes more values than this is not a difficulty to report by."""


class ReasoningGym:
    """One dataset of reasoning-gym, with the sizes of its splits as the job asks for them."""

    def __init__(self, task: ReasoningGymTask) -> None:
        _check(task)
        self.name = f"reasoning_gym/{task.dataset}"
        self._task = task
        self._sizes: dict[Split, int] = {
            "train": task.train_size,
            "validation": task.validation_size,
            "test": task.test_size,
        }
        self._dataset = lru_cache(maxsize=None)(self._make_dataset)
        self._entry = lru_cache(maxsize=4096)(self._find_entry)
        self._dataset(0)

    def size(self, split: Split) -> int:
        """Number of problems in a split."""
        return self._sizes[split]

    def problem(self, split: Split, index: int) -> Problem:
        """The problem at ``index``. Its answer is empty where many answers are right."""
        entry = self._entry(split, index)
        answer = entry["answer"]
        return Problem(
            split=split,
            index=index,
            messages=(Message("user", entry["question"]),),
            answer="" if answer is None else str(answer),
            difficulty=self._difficulty(entry["metadata"]),
        )

    def verify(self, problem: Problem, answer: str) -> float:
        """The dataset's own score of an answer, clipped to 0 to 1.

        Some verifiers raise on text that is not in the form they expect: a wrong answer, not a
        failure of the run.
        """
        entry = self._entry(problem.split, problem.index)
        try:
            score = float(self._dataset(0).score_answer(answer, entry))
        except Exception as error:
            log.info("%s scores %.80r as 0: %r", self.name, answer, error)
            return 0.0
        if math.isnan(score):
            raise TaskError(
                f"{self.name} scored {answer!r} with nan at {problem.split} {problem.index}"
            )
        return min(max(score, 0.0), 1.0)

    def _difficulty(self, metadata: Mapping[str, Any]) -> str:
        if self._task.dataset != COMPOSITE:
            return difficulty(metadata)
        return f"{metadata['source_dataset']}: {difficulty(metadata)}"

    def _find_entry(self, split: Split, index: int) -> dict[str, Any]:
        low, high = SHARES[split]
        place = self._first_place(split) + index
        for draw in range(MOST_DRAWS):
            entry: dict[str, Any] = self._dataset(draw)[place]
            if low <= _position(entry["question"]) < high:
                return entry
        raise TaskError(
            f"{self.name} makes too few different questions for three splits: none of {MOST_DRAWS} "
            f"drawn for {split} problem {index} is one of its own; widen task.config "
            f"(now {self._task.config})"
        )

    def _first_place(self, split: Split) -> int:
        order = list(self._sizes)
        return sum(self._sizes[before] for before in order[: order.index(split)])

    def _make_dataset(self, draw: int) -> "ProceduralDataset":
        """Item ``i`` of a dataset comes from its seed plus ``i``: no two draws share a seed."""
        from reasoning_gym import create_dataset

        total = sum(self._sizes.values())
        config = dataset_config(self._task)
        return create_dataset(
            self._task.dataset,
            seed=self._task.seed + draw * total,
            size=total,
            **config,
        )


def difficulty(metadata: Mapping[str, Any]) -> str:
    """The levels that a dataset varies and names, as ``num_terms 3, num_digits 2``; else ``all``.

    A dataset lists its levels under ``difficulty``, a varied one as its range, and then says beside
    it which value this problem has.
    """
    levels = metadata.get("difficulty")
    if not isinstance(levels, Mapping):
        return "all" if levels is None else f"difficulty {levels:g}"
    values = {name: _level(level, metadata.get(name)) for name, level in levels.items()}
    shown = [f"{name} {value:g}" for name, value in values.items() if value is not None]
    return ", ".join(shown) or "all"


def _level(level: Any, value: Any) -> float | None:
    if isinstance(level, int | float):
        return level
    narrow = (
        isinstance(level, tuple)
        and len(level) == 2
        and level[1] - level[0] < WIDEST_LEVELS
        and isinstance(value, int)
    )
    return value if narrow else None


def _position(question: str) -> float:
    """A question's place in the order of hashes, 0 to 1."""
    return int.from_bytes(hashlib.sha256(question.encode()).digest()[:6]) / 2**48


def _check(task: ReasoningGymTask) -> None:
    if find_spec("reasoning_gym") is None:
        raise TaskError(
            f"task.dataset {task.dataset!r} needs the package reasoning-gym: install it on every "
            "machine of the job"
        )
    problems = list(reasoning_gym_problems(task))
    if problems:
        raise TaskError("\n".join(problems))
    unsteady = HASH_DEPENDENT.intersection(dataset_names(task))
    if unsteady and sys.flags.hash_randomization:
        raise TaskError(
            f"task.dataset: the problems of {min(unsteady)} follow Python's hash seed, which each "
            "process draws at random: set PYTHONHASHSEED=0 in the environment before they start"
        )
