"""Groups of a store in place of sampled ones: the pipeline's interface, with nothing under way."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rkd_online.run.stages import StageClock
from rkd_online.spec.job import JobSpec
from rkd_online.tasks.order import PromptOrder
from rkd_online.types import (
    PhasePlace,
    Progress,
    ScoredGroup,
    TrainingBatch,
    UpdateResult,
    WeightVersion,
)

if TYPE_CHECKING:
    from rkd_online.store.reader import AcceptedGroups


class StoredGroups:
    """Hands out the batches of the steps: epoch after epoch of all prompts, each shuffled anew.

    A function of the step and the job's seed alone, so a resumed run goes on as the first would
    have.
    """

    def __init__(self, store: "AcceptedGroups", spec: JobSpec, progress: Progress) -> None:
        self._store = store
        self._order = PromptOrder(len(store), spec.seed)
        self._size = spec.rollout.prompts_per_step
        self._done = progress.step

    def sample_with(self, version: WeightVersion, *, teacher: bool) -> None:
        """The store is what it is, whatever the generators have."""

    def change(self, spec: JobSpec) -> None:
        """Its order goes on for any number of steps."""

    def drop_flat(self, most: int) -> None:
        """There are no other groups to take their places."""

    async def batch(self, step: int, clock: StageClock) -> list[ScoredGroup]:
        """The groups of step ``step``, numbered over the whole job as sampled ones are."""
        started = time.time()
        groups = await asyncio.to_thread(self._groups, step)
        clock.add("read", started, time.time())
        self._done = step
        return groups

    def progress(self, phase: PhasePlace) -> Progress:
        """Where a run would go on."""
        return Progress(self._done, self._done * self._size, (), phase)

    def take_dropped(self) -> dict[str, float]:
        """Nothing is ever dropped."""
        return {}

    async def give_up(self) -> None:
        """Nothing is under way."""

    async def close(self) -> None:
        """Nothing is under way."""

    def _groups(self, step: int) -> list[ScoredGroup]:
        first = (step - 1) * self._size
        places = self._order.take(first, self._size)
        return [
            self._store.group(place, group_id=first + number, version=step - 1)
            for number, place in enumerate(places)
        ]


class KeptInStore:
    """The record of a job that learns from a store: the store has its rollouts."""

    def rollouts(
        self, groups: Sequence[ScoredGroup], batch: TrainingBatch, update: UpdateResult
    ) -> None:
        """They are there already."""
