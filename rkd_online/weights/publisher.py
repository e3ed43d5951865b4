"""Publishing: the learner writes a version, every generator swaps to it, the probe decides."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from rkd_online.errors import WeightSyncError
from rkd_online.types import Logprobs, PublishedWeights
from rkd_online.weights.probe import check_probe


class Source(Protocol):
    """Where weights come from."""

    async def publish(self) -> PublishedWeights:
        """Write the current weights, whole."""
        ...


class Receiver(Protocol):
    """Where weights go."""

    async def load_weights(self, weights: PublishedWeights) -> Logprobs:
        """Swap to a version; returns the probe's log-probs under it."""
        ...


class WeightPublisher:
    """All or nothing: a version counts when every generator has shown that it computes with it."""

    def __init__(
        self, source: Source, receivers: Sequence[Receiver], *, timeout_seconds: float
    ) -> None:
        self._source = source
        self._receivers = receivers
        self._timeout = timeout_seconds

    async def publish(self) -> float:
        """Returns the largest probe difference in nats; raises WeightSyncError if a generator
        differs or does not answer in time."""
        weights = await self._source.publish()
        swaps = asyncio.gather(*(receiver.load_weights(weights) for receiver in self._receivers))
        try:
            probes = await asyncio.wait_for(swaps, self._timeout)
        except TimeoutError:
            raise WeightSyncError(
                f"generators did not load weight version {weights.version} within "
                f"{self._timeout:.0f} s"
            ) from None
        return check_probe(weights.version, weights.probe_logprobs, probes)
