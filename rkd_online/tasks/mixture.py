"""Several tasks as one: their problems, each part's behind those of the part before."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rkd_online.tasks.base import Completion, Failure, Problem, TaskSource
from rkd_online.tasks.rewards import RewardParts, Rewards
from rkd_online.types import Split


class Mixture:
    """The problems of all parts, which are given by name. A problem carries the name of its part,
    in its difficulty group too, and no two problems of a split have one index."""

    def __init__(self, parts: Mapping[str, TaskSource]) -> None:
        self.name = " + ".join(parts)
        self._parts = dict(parts)

    def size(self, split: Split) -> int:
        """Number of problems in a split, all parts together."""
        return sum(self.sizes(split))

    def sizes(self, split: Split) -> list[int]:
        """Number of problems of each part."""
        return [part.size(split) for part in self._parts.values()]

    def problem(self, split: Split, index: int) -> Problem:
        """The problem at ``index``."""
        place = index
        for name, part in self._parts.items():
            if place < part.size(split):
                found = part.problem(split, place)
                difficulty = f"{name}: {found.difficulty}"
                return replace(found, index=index, task=name, difficulty=difficulty)
            place -= part.size(split)
        raise IndexError(f"{self.name} has {self.size(split)} {split} problems, asked for {index}")


def part_sizes(task: TaskSource, split: Split) -> list[int]:
    """Number of problems of each part of a task; of one that is no mixture there is one."""
    return task.sizes(split) if isinstance(task, Mixture) else [task.size(split)]


class MixedRewards:
    """Each part's own rewards, by its name."""

    def __init__(self, parts: Mapping[str, Rewards]) -> None:
        self._parts = dict(parts)

    async def __call__(
        self, problem: Problem, completions: Sequence[Completion]
    ) -> list[RewardParts | Failure]:
        """The reward of each completion, or why it has none."""
        return await self._parts[problem.task](problem, completions)

    def close(self) -> None:
        """Release what they hold."""
        for rewards in self._parts.values():
            rewards.close()
