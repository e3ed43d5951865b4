"""The generator: prompts in, groups of sampled siblings out, each as soon as it is complete."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from rkd_online.generation.groups import OpenGroups
from rkd_online.inference.engine import Engine
from rkd_online.inference.settings import EngineSettings
from rkd_online.metrics.busy import BusyClock, WorkLog
from rkd_online.types import (
    Logprobs,
    PublishedWeights,
    RolloutGroup,
    SamplingRequest,
    TokenIds,
)
from rkd_online.weights.files import check_digest
from rkd_online.weights.transfer import ON_DEVICE


class PolicyGenerator:
    """Samples a policy with one vLLM engine."""

    def __init__(self, settings: EngineSettings, probe_ids: TokenIds) -> None:
        self._engine = Engine(settings)
        self._probe_ids = probe_ids
        self._open: set[OpenGroups] = set()
        self._clock = BusyClock("generator")

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        """All groups of the requests, each when its last sibling ends.

        Everything is enqueued before the engine steps, so that which sequences run together does
        not depend on timing.
        """
        groups = OpenGroups(requests)
        self._open.add(groups)
        try:
            with self._clock.busy("generate"):
                self._engine.sample(requests, groups.add, groups.fail)
                async for group in groups.finished():
                    yield group
        finally:
            self._open.remove(groups)

    async def abort(self, group_ids: Sequence[int]) -> None:
        """Stop sampling these groups, of which this generator may have none; they never come."""
        await self._engine.abort(group_ids)
        for groups in self._open:
            groups.give_up(group_ids)

    async def load_weights(self, weights: PublishedWeights) -> Logprobs:
        """Swap to a published version; returns the fixed probe's log-probs under it."""
        with self._clock.busy("publish"):
            if weights.location.startswith(ON_DEVICE):
                await self._engine.commit(weights.version)
            else:
                await asyncio.to_thread(check_digest, weights)
                await self._engine.load_weights(Path(weights.location), weights.version)
            return (await self._engine.prompt_logprobs([self._probe_ids], urgent=True))[0]

    async def transfer(self, verb: str, *args: dict[str, Any]) -> None:
        """One verb of the learner's device-to-device transfer."""
        with self._clock.busy("publish"):
            await self._engine.transfer(verb, *args)

    async def work(self) -> WorkLog:
        """What this generator did since the last call."""
        return self._clock.take()

    async def close(self) -> None:
        """Shut the engine down."""
        await asyncio.to_thread(self._engine.close)
