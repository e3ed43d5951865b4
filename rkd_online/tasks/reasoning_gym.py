"""Any task of reasoning-gym: its problems, its own verifier as the reward.

reasoning-gym makes a problem from a seed, and small tasks make the same problem from many seeds. So
the split of a problem follows from a hash of its question, never from its seed. Each place of a
split has its own sequence of seeds and takes the first whose question belongs to that split: any
place can be found without the ones before it. Within one split a small task does repeat itself.

With a curriculum each place has a level, and a question belongs to its split at every level. The
places of the training split are dealt to the stages in their order; held-out places go through all
levels in turn.
"""

import hashlib
import sys
from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from rkd_online.errors import TaskError
from rkd_online.spec.curriculum import level_config, stage_edges
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
        self._levels = Levels(task) if task.curriculum else None
        self._dataset = lru_cache(maxsize=None)(self._make_dataset)
        self._entry = lru_cache(maxsize=4096)(self._find_entry)
        self._dataset(0, self._level("train", 0))

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
            difficulty=self._difficulty(split, index, entry["metadata"]),
            task=self.name,
            record=entry,
        )

    def _level(self, split: Split, index: int) -> int | None:
        return None if self._levels is None else self._levels.at(split, index)

    def _difficulty(self, split: Split, index: int, metadata: Mapping[str, Any]) -> str:
        level = self._level(split, index)
        if level is not None:
            return f"level {level}"
        if self._task.dataset != COMPOSITE:
            return difficulty(metadata)
        return f"{metadata['source_dataset']}: {difficulty(metadata)}"

    def _find_entry(self, split: Split, index: int) -> dict[str, Any]:
        low, high = SHARES[split]
        place, level = self._first_place(split) + index, self._level(split, index)
        for draw in range(MOST_DRAWS):
            entry: dict[str, Any] = self._dataset(draw, level)[place]
            if low <= _position(entry["question"]) < high:
                return entry
        raise TaskError(
            f"{self.name} makes too few different questions for three splits: none of {MOST_DRAWS} "
            f"drawn for {split} problem {index}{'' if level is None else f' at level {level}'} is "
            f"one of its own; widen {'task.config' if level is None else 'task.curriculum'} "
            f"(now {self._task.config if level is None else level_config(self._task, level)})"
        )

    def _first_place(self, split: Split) -> int:
        order = list(self._sizes)
        return sum(self._sizes[before] for before in order[: order.index(split)])

    def _make_dataset(self, draw: int, level: int | None) -> "ProceduralDataset":
        """Item ``i`` of a dataset comes from its seed plus ``i``: no two draws share a seed."""
        total = sum(self._sizes.values())
        return make_dataset(self._task, level, seed=self._task.seed + draw * total, size=total)


class Levels:
    """The level of each place of a task with a curriculum."""

    def __init__(self, task: ReasoningGymTask) -> None:
        self._stages = task.curriculum
        self._edges = stage_edges(task.train_size, task.curriculum)
        lowest = min(stage.levels[0] for stage in task.curriculum)
        highest = max(stage.levels[1] for stage in task.curriculum)
        self._all = (lowest, highest)

    def at(self, split: Split, index: int) -> int:
        """A stage's levels take turns, and those of all stages in a held-out split."""
        low, high = self._all
        if split == "train":
            low, high = self._stages[bisect_right(self._edges, index)].levels
        return low + index % (high - low + 1)


def make_dataset(
    task: ReasoningGymTask, level: int | None, *, seed: int, size: int
) -> "ProceduralDataset":
    """The dataset of a task, at one level of its curriculum where it has one."""
    from reasoning_gym import create_dataset

    config = dataset_config(task) if level is None else level_config(task, level)
    return create_dataset(task.dataset, seed=seed, size=size, **config)


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
