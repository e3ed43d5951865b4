"""The roles of ``run.roles`` as handles to actors: what the loop calls on a cluster."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from rkd_online.cluster.calls import answer, answers
from rkd_online.metrics.busy import WorkLog
from rkd_online.spec.job import JobSpec
from rkd_online.types import (
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

CONTROL_TIMEOUT = 60.0
"""Seconds for a call that does no work to speak of."""


class ActorRole:
    """A handle with the verbs that every worker has."""

    def __init__(self, actor: Any, name: str, timeout: float) -> None:
        """The actor begins to import what it needs."""
        self._actor = actor
        self._name = name
        self._timeout = timeout
        self._warm = actor.warm.remote()

    async def start(self, *setup: Any) -> None:
        """Have the actor build its worker from ``setup``, and wait for it."""
        await answer(self._warm, f"imports of actor {self._name}", self._timeout)
        await self._call("start", *setup)

    async def work(self) -> WorkLog:
        log: WorkLog = await self._call("work", timeout=CONTROL_TIMEOUT)
        return log

    async def close(self) -> None:
        await self._call("close", timeout=CONTROL_TIMEOUT)

    async def _call(self, verb: str, *args: Any, timeout: float | None = None) -> Any:
        reference = getattr(self._actor, verb).remote(*args)
        return await answer(reference, f"{verb} on actor {self._name}", timeout or self._timeout)


class ActorGenerator(ActorRole):
    """A generator in an actor."""

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        stream = self._actor.sample.options(num_returns="streaming").remote(requests)
        async for group in answers(stream, f"sample on actor {self._name}", self._timeout):
            yield group

    async def abort(self, group_ids: Sequence[int]) -> None:
        await self._call("abort", group_ids, timeout=CONTROL_TIMEOUT)

    async def load_weights(self, weights: PublishedWeights) -> Logprobs:
        probe: Logprobs = await self._call("load_weights", weights)
        return probe


class ActorScorer(ActorRole):
    """The scorer in an actor."""

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        scored: ScoredGroup = await self._call("score", group)
        return scored

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        scored: ScoredGroup = await self._call("reward", group)
        return scored


class ActorLearner(ActorRole):
    """The learner, or one rank of it, in an actor."""

    async def meeting_point(self) -> str:
        """Where the other ranks find this one."""
        place: str = await self._call("meeting_point")
        return place

    async def connect(self, generators: list[Any]) -> None:
        """Open the way that weights take to these generator actors."""
        await self._call("connect", generators)

    async def update(self, batch: TrainingBatch) -> UpdateResult:
        result: UpdateResult = await self._call("update", batch)
        return result

    async def change(self, spec: JobSpec) -> None:
        await self._call("change", spec)

    async def publish(self) -> PublishedWeights:
        weights: PublishedWeights = await self._call("publish")
        return weights

    async def save(self, folder: Path, progress: Progress) -> None:
        await self._call("save", folder, progress)

    async def restore(self, folder: Path) -> WeightVersion:
        version: WeightVersion = await self._call("restore", folder)
        return version
