"""The order in which training prompts are taken."""

import random
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from rkd_online.spec.curriculum import stage_edges
from rkd_online.spec.task import ReasoningGymTask, Task


class Order(Protocol):
    """Which training prompts are taken: a function of how many were taken before."""

    def take(self, cursor: int, count: int) -> list[int]:
        """The ``count`` indices from ``cursor`` on."""
        ...


def training_order(task: Task, size: int, *, seed: int, groups: int) -> Order:
    """The order of the ``size`` training prompts of a job that learns from ``groups``."""
    if not isinstance(task, ReasoningGymTask) or not task.curriculum:
        return PromptOrder(size, seed)
    prompts, taken = stage_edges(size, task.curriculum), stage_edges(groups, task.curriculum)
    return StagedOrder(prompts, taken, seed)


class PromptOrder:
    """Epoch after epoch of all ``size`` prompts, each epoch shuffled anew.

    The cursor, the number of prompts taken before, is all the state there is: a resumed run that
    starts at its own takes what the first would have taken.
    """

    def __init__(self, size: int, seed: int) -> None:
        if size < 1:
            raise ValueError(f"an order needs at least one prompt, found {size}")
        self._size = size
        self._seed = seed

    def take(self, cursor: int, count: int) -> list[int]:
        """The ``count`` indices from ``cursor`` on, each below ``size``."""
        return [self._at(position) for position in range(cursor, cursor + count)]

    def _at(self, position: int) -> int:
        epoch, place = divmod(position, self._size)
        return _permutation(self._size, self._seed, epoch)[place]


class StagedOrder:
    """Stage after stage, each an order of its own prompts; the last one goes on without end.

    ``prompts`` and ``taken`` say where each stage ends: among the prompts, and among those taken.
    """

    def __init__(self, prompts: Sequence[int], taken: Sequence[int], seed: int) -> None:
        self._prompts = [0, *prompts[:-1]]
        self._taken = [0, *taken[:-1]]
        sizes = [end - start for start, end in zip(self._prompts, prompts, strict=True)]
        self._orders = [PromptOrder(size, seed) for size in sizes]

    def take(self, cursor: int, count: int) -> list[int]:
        """The ``count`` indices from ``cursor`` on."""
        return [self._at(position) for position in range(cursor, cursor + count)]

    def _at(self, position: int) -> int:
        stage = bisect_right(self._taken, position) - 1
        (place,) = self._orders[stage].take(position - self._taken[stage], 1)
        return self._prompts[stage] + place


@lru_cache(maxsize=2)
def _permutation(size: int, seed: int, epoch: int) -> tuple[int, ...]:
    indices = list(range(size))
    random.Random(f"prompts/{seed}/{epoch}").shuffle(indices)
    return tuple(indices)
