"""The ranks of a learner behind the face of one."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from rkd_online.errors import ClusterError, RkdError
from rkd_online.run.roles import Learner
from rkd_online.spec.job import JobSpec
from rkd_online.types import (
    Progress,
    PublishedWeights,
    TrainingBatch,
    UpdateResult,
    WeightVersion,
)

T = TypeVar("T")

DEATH_SECONDS: Final = 10.0
"""A rank that died is known by its silent connections first, by its process somewhat later."""


class LearnerRanks:
    """Every verb is one of all ranks; the first rank's answer is that of all. Where one fails its
    error comes at once, though others may still wait for it. An error that is not ours may be that
    of a rank whose neighbour died: then the death is what is raised."""

    def __init__(self, ranks: Sequence[Learner]) -> None:
        self._ranks = ranks

    async def update(self, batch: TrainingBatch) -> UpdateResult:
        """One step on a batch."""
        return await self._all(lambda rank: rank.update(batch))

    async def change(self, spec: JobSpec) -> None:
        """Update by a changed job from now on."""
        await self._all(lambda rank: rank.change(spec))

    async def publish(self) -> PublishedWeights:
        """Write the current weights, whole, for the generators."""
        return await self._all(lambda rank: rank.publish())

    async def save(self, folder: Path, progress: Progress) -> None:
        """Write a checkpoint."""
        await self._all(lambda rank: rank.save(folder, progress))

    async def restore(self, folder: Path) -> WeightVersion:
        """Continue from a checkpoint; returns its version."""
        return await self._all(lambda rank: rank.restore(folder))

    async def _all(self, verb: Callable[[Learner], Coroutine[Any, Any, T]]) -> T:
        calls = [asyncio.create_task(verb(rank)) for rank in self._ranks]
        try:
            answers = await asyncio.gather(*calls)
        except RkdError:
            raise
        except Exception as error:
            death = await _death(calls)
            if death is None:
                raise
            raise death from error
        return answers[0]


async def _death(calls: "Sequence[asyncio.Task[T]]") -> ClusterError | None:
    """What says that one of the ranks is gone, if that is why another one failed."""
    ended, _ = await asyncio.wait(calls, timeout=DEATH_SECONDS)
    errors = (one.exception() for one in ended if not one.cancelled())
    return next((one for one in errors if isinstance(one, ClusterError)), None)
