"""The order in which training prompts are taken."""

import random
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Protocol

from rkd_online.spec.curriculum import stage_edges
from rkd_online.spec.deal import Deal
from rkd_online.spec.mixture import Part
from rkd_online.spec.task import ReasoningGymTask, Task


class Order(Protocol):
    """Which training prompts are taken: a function of how many were taken before."""

    def take(self, cursor: int, count: int) -> list[int]:
        """The ``count`` indices from ``cursor`` on."""
        ...


def job_order(parts: Sequence[Part], sizes: Sequence[int], *, seed: int, groups: int) -> Order:
    """The order of the training prompts of a job that learns from ``groups``. ``sizes`` are those
    of its parts, whose prompts lie one part's behind the other's."""
    deal = Deal([part.weight for part in parts])
    orders = [
        training_order(part.task, size, seed=seed, groups=own)
        for part, size, own in zip(parts, sizes, deal.counts(groups), strict=True)
    ]
    return orders[0] if len(orders) == 1 else MixedOrder(deal, orders, sizes)


def first_prompts(parts: Sequence[Part], sizes: Sequence[int], count: int) -> list[int]:
    """The places of ``count`` held-out prompts, or of all where there are fewer: of each part its
    first ones, as many as its weight says; where a part has no more, the others have the rest."""
    starts, used = _starts(sizes), [0] * len(sizes)
    chosen: list[int] = []
    while len(chosen) < min(count, sum(sizes)):
        left = [part for part, size in enumerate(sizes) if used[part] < size]
        deal, turn = Deal([parts[part].weight for part in left]), 0
        while len(chosen) < count and used[part := left[deal.at(turn)[0]]] < sizes[part]:
            chosen.append(starts[part] + used[part])
            used[part] += 1
            turn += 1
    return chosen


def _starts(sizes: Sequence[int]) -> list[int]:
    return [0, *accumulate(sizes)][:-1]


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
        # Two, since a step may go over the end of an epoch.
        self._permutation = lru_cache(maxsize=2)(self._shuffled)

    def take(self, cursor: int, count: int) -> list[int]:
        """The ``count`` indices from ``cursor`` on, each below ``size``."""
        return [self._at(position) for position in range(cursor, cursor + count)]

    def _at(self, position: int) -> int:
        epoch, place = divmod(position, self._size)
        return self._permutation(epoch)[place]

    def _shuffled(self, epoch: int) -> list[int]:
        indices = list(range(self._size))
        random.Random(f"prompts/{self._seed}/{epoch}").shuffle(indices)
        return indices


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


class MixedOrder:
    """The parts of a mixture, dealt by their weights, each in an order of its own: the one that it
    would have alone."""

    def __init__(self, deal: Deal, orders: Sequence[Order], sizes: Sequence[int]) -> None:
        self._deal = deal
        self._orders = orders
        self._starts = _starts(sizes)

    def take(self, cursor: int, count: int) -> list[int]:
        """The ``count`` indices from ``cursor`` on."""
        return [self._at(position) for position in range(cursor, cursor + count)]

    def _at(self, position: int) -> int:
        part, before = self._deal.at(position)
        (place,) = self._orders[part].take(before, 1)
        return self._starts[part] + place
