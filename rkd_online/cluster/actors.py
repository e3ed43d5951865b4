"""Actor shells: each builds one plain worker in its own process and passes calls on.

``warm`` imports what the worker needs, which can begin before the job is known; ``start`` builds
it, and not the constructor, whose errors reach the caller as the death of the actor, without their
type.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import ray

from rkd_online.cluster.transfer import GeneratorsClient, free_rendezvous
from rkd_online.metrics.busy import WorkLog
from rkd_online.run.keeping import checkpoint_copies
from rkd_online.run.setup import JobSetup
from rkd_online.run.workers import (
    build_generator,
    build_learner,
    build_scorer,
    connect_by_file,
    import_generator,
    import_learner,
    import_scorer,
)
from rkd_online.spec.job import JobSpec
from rkd_online.spec.mixture import Course
from rkd_online.types import (
    LearnerRank,
    Logprobs,
    Progress,
    PublishedWeights,
    RolloutGroup,
    SamplingRequest,
    ScoredGroup,
    TrainingBatch,
    UpdateResult,
    WeightVersion,
)


@ray.remote
class GeneratorActor:
    """One vLLM engine."""

    async def warm(self) -> None:
        import_generator()

    async def start(self, setup: JobSetup, model: Path) -> None:
        """Answers when the engine runs."""
        self._worker = build_generator(setup, model)

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        async for group in self._worker.sample(requests):
            yield group

    async def abort(self, group_ids: Sequence[int]) -> None:
        await self._worker.abort(group_ids)

    async def load_weights(self, weights: PublishedWeights) -> Logprobs:
        return await self._worker.load_weights(weights)

    async def transfer(self, verb: str, *args: dict[str, Any]) -> None:
        await self._worker.transfer(verb, *args)

    async def work(self) -> WorkLog:
        return await self._worker.work()

    async def close(self) -> None:
        await self._worker.close()


@ray.remote
class ScorerActor:
    """A teacher and the rewards of its parts of the task."""

    async def warm(self) -> None:
        import_scorer()

    async def start(self, setup: JobSetup, course: Course) -> None:
        """Answers when the teacher is loaded."""
        self._worker = build_scorer(setup, course)

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        return await self._worker.score(group)

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        return await self._worker.reward(group)

    async def work(self) -> WorkLog:
        return await self._worker.work()

    async def close(self) -> None:
        await self._worker.close()


@ray.remote
class LearnerActor:
    """The policy that is trained."""

    async def warm(self) -> None:
        import_learner()

    async def meeting_point(self) -> str:
        """Where the ranks of a learner find this one, its first."""
        found = free_rendezvous(0)
        return f"{found.address}:{found.port}"

    async def start(self, setup: JobSetup, place: LearnerRank) -> None:
        """Answers when the policy is loaded, and with several ranks when all have met."""
        self._setup = setup
        copies = checkpoint_copies(setup.job, setup.attempt)
        self._worker = await asyncio.to_thread(build_learner, setup, place, copies)

    async def connect(self, generators: list[Any]) -> None:
        """Open the way that weights take to these generator actors."""
        transfer = self._setup.transfer
        if transfer == "file":
            await connect_by_file(self._worker, self._setup)
            return
        from rkd_online.learning.outlets import DeviceOutlet

        ranks_each = self._setup.spec.resources.generator.tensor_parallel
        client = GeneratorsClient(generators, ranks_each)
        rendezvous = free_rendezvous(len(generators) * ranks_each)
        await self._worker.connect(
            lambda learner: DeviceOutlet(transfer, rendezvous, client, learner)
        )

    async def update(self, batch: TrainingBatch) -> UpdateResult:
        return await self._worker.update(batch)

    async def change(self, spec: JobSpec) -> None:
        await self._worker.change(spec)

    async def publish(self) -> PublishedWeights:
        return await self._worker.publish()

    async def save(self, folder: Path, progress: Progress) -> None:
        await self._worker.save(folder, progress)

    async def restore(self, folder: Path) -> WeightVersion:
        return await self._worker.restore(folder)

    async def work(self) -> WorkLog:
        return await self._worker.work()

    async def close(self) -> None:
        await self._worker.close()
