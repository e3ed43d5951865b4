"""The generator: prompts in, groups of sampled siblings out, each as soon as it is complete."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from rkd_online.inference.engine import Engine
from rkd_online.inference.settings import EngineSettings
from rkd_online.metrics.busy import BusyClock, BusySpan
from rkd_online.types import (
    Logprobs,
    PublishedWeights,
    Rollout,
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
        self._clock = BusyClock("generator")

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        """All groups of the requests, each when its last sibling ends.

        Everything is enqueued before the engine steps, so that which sequences run together does
        not depend on timing.
        """
        loop = asyncio.get_running_loop()
        finished: asyncio.Queue[RolloutGroup | BaseException] = asyncio.Queue()
        groups = _OpenGroups(requests)

        def put(item: RolloutGroup | BaseException) -> None:
            loop.call_soon_threadsafe(finished.put_nowait, item)

        def on_rollout(group_id: int, rollout: Rollout) -> None:
            group = groups.add(group_id, rollout)
            if group is not None:
                put(group)

        with self._clock.busy("generate"):
            self._engine.sample(requests, on_rollout, put)
            for _ in requests:
                item = await finished.get()
                if isinstance(item, BaseException):
                    raise item
                yield item

    async def load_weights(self, weights: PublishedWeights) -> Logprobs:
        """Swap to a published version; returns the fixed probe's log-probs under it."""
        with self._clock.busy("publish"):
            if weights.location.startswith(ON_DEVICE):
                await self._engine.commit(weights.version)
            else:
                await asyncio.to_thread(check_digest, weights)
                await self._engine.load_weights(Path(weights.location), weights.version)
            return (await self._engine.prompt_logprobs([self._probe_ids]))[0]

    async def transfer(self, verb: str, *args: dict[str, Any]) -> None:
        """One verb of the learner's device-to-device transfer."""
        with self._clock.busy("publish"):
            await self._engine.transfer(verb, *args)

    async def busy_spans(self) -> list[BusySpan]:
        """When this generator worked since the last call."""
        return self._clock.take()

    async def close(self) -> None:
        """Shut the engine down."""
        await asyncio.to_thread(self._engine.close)


class _OpenGroups:
    """Rollouts that wait for their siblings. Used on the engine's thread alone."""

    def __init__(self, requests: Sequence[SamplingRequest]) -> None:
        self._requests = {request.group_id: request for request in requests}
        self._rollouts: dict[int, list[Rollout]] = {key: [] for key in self._requests}

    def add(self, group_id: int, rollout: Rollout) -> RolloutGroup | None:
        """The whole group, siblings in order, when this was its last rollout."""
        request, rollouts = self._requests[group_id], self._rollouts[group_id]
        rollouts.append(rollout)
        if len(rollouts) < len(request.seeds):
            return None
        ordered = sorted(rollouts, key=lambda sibling: sibling.index)
        return RolloutGroup(group_id, request.prompt, tuple(ordered))
