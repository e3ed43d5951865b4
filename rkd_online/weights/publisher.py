"""Publishing: the learner writes a version, every generator swaps to it, the probe decides."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from rkd_online.errors import WeightSyncError
from rkd_online.spec.precision import Precision
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
        self,
        source: Source,
        receivers: Sequence[Receiver],
        *,
        precision: Precision,
        timeout_seconds: float,
    ) -> None:
        """``precision`` is that of the receivers."""
        self._source = source
        self._receivers = receivers
        self._precision: Precision = precision
        self._timeout = timeout_seconds

    async def write(self) -> PublishedWeights:
        """Make the learner's weights available; generators go on with theirs, or wait while they
        are sent from device to device."""
        return await self._source.publish()

    async def swap(self, weights: PublishedWeights) -> float:
        """Have every generator compute with a version. Returns the largest probe difference in
        nats; raises WeightSyncError if a generator differs or does not answer in time."""
        swaps = asyncio.gather(*(receiver.load_weights(weights) for receiver in self._receivers))
        try:
            probes = await asyncio.wait_for(swaps, self._timeout)
        except TimeoutError:
            raise WeightSyncError(
                f"generators did not load weight version {weights.version} within "
                f"{self._timeout:.0f} s"
            ) from None
        return check_probe(weights.version, weights.probe_logprobs, probes, self._precision)
