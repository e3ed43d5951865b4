"""The learner as the loop calls it: one thread that updates, publishes and saves."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from rkd_online.errors import WeightSyncError
from rkd_online.learning.learner import PolicyLearner
from rkd_online.learning.outlets import Outlet
from rkd_online.metrics.busy import BusyClock, WorkLog
from rkd_online.objects.checkpoints import LearnerCopies
from rkd_online.spec.job import JobSpec
from rkd_online.types import (
    Progress,
    PublishedWeights,
    TokenIds,
    TrainingBatch,
    UpdateResult,
    WeightVersion,
)

T = TypeVar("T")


class LearnerRole:
    """A PolicyLearner and the outlet that its weights leave by.

    ``build`` and ``open_outlet`` run in the learner's thread. Without ``copies`` all nodes see the
    folders that are named here.
    """

    def __init__(
        self,
        build: Callable[[], PolicyLearner],
        probe_ids: TokenIds,
        copies: LearnerCopies | None = None,
    ) -> None:
        # Thread counts and random states of torch belong to a thread: all work stays in this one.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rkd-learner")
        self._learner = self._thread.submit(build).result()
        self._outlet: Outlet | None = None
        self._probe_ids = probe_ids
        self._copies = copies
        self._clock = BusyClock("learner")

    async def connect(self, open_outlet: Callable[[PolicyLearner], Outlet]) -> None:
        """Open the outlet; before the first ``publish``."""
        self._outlet = await self._run("connect", partial(open_outlet, self._learner))

    async def update(self, batch: TrainingBatch) -> UpdateResult:
        """One step on a batch."""
        return await self._run("update", partial(self._learner.update, batch))

    async def change(self, spec: JobSpec) -> None:
        """Update by the algorithms, the learning rate and the steps of a changed job."""
        change = partial(
            self._learner.change,
            phases=spec.phases_in_turn,
            optimizer=spec.optimizer,
            total_steps=spec.steps,
        )
        await self._run("change", change)

    async def publish(self) -> PublishedWeights:
        """Write the current weights, whole, for the generators."""
        return await self._run("publish", self._publish)

    async def save(self, folder: Path, progress: Progress) -> None:
        """Write a checkpoint."""
        await self._run("checkpoint", partial(self._save, folder, progress))

    async def restore(self, folder: Path) -> WeightVersion:
        """Continue from a checkpoint; returns its version."""
        return await self._run("restore", partial(self._restore, folder))

    async def work(self) -> WorkLog:
        """What this learner did since the last call."""
        return self._clock.take()

    async def close(self) -> None:
        """Withdraw the published versions, and leave nothing on this node."""
        if self._outlet is not None:
            await self._run("close", self._outlet.close)
        await self._run("close", self._learner.close)
        if self._copies is not None:
            await self._run("close", self._copies.close)
        self._thread.shutdown()

    def _save(self, folder: Path, progress: Progress) -> None:
        """All ranks have restored what was pulled before any of them saves."""
        if self._copies is None:
            self._learner.save(folder, progress)
            return
        self._copies.drop()
        self._learner.save(self._copies.here(folder), progress)
        if self._learner.ranks.first:
            self._copies.push(folder)

    def _restore(self, folder: Path) -> WeightVersion:
        here = folder if self._copies is None else self._copies.pull(folder)
        return self._learner.restore(here)

    def _publish(self) -> PublishedWeights:
        if self._outlet is None:
            raise WeightSyncError("the learner publishes before it is connected to an outlet")
        return self._outlet.publish(self._learner, self._learner.probe(self._probe_ids))

    async def _run(self, stage: str, work: Callable[[], T]) -> T:
        with self._clock.busy(stage):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
