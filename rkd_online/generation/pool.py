"""Several generators behind the face of one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from rkd_online.types import RolloutGroup, SamplingRequest


class Sampler(Protocol):
    """One generator, or several behind its face."""

    def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        """All groups of the requests, each as soon as its last sibling ends."""
        ...


class GeneratorPool:
    """Deals requests to its generators and merges what they give."""

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        self._samplers = samplers

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        """Groups of all generators as they end.

        Request i goes to generator i modulo their number, siblings together: which sequences share
        an engine is then a function of the requests alone.
        """
        finished: asyncio.Queue[RolloutGroup | Exception] = asyncio.Queue()
        count = len(self._samplers)
        tasks = [
            asyncio.create_task(_drain(sampler, requests[index::count], finished))
            for index, sampler in enumerate(self._samplers)
        ]
        try:
            for _ in requests:
                item = await finished.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            for task in tasks:
                task.cancel()


async def _drain(
    sampler: Sampler,
    requests: Sequence[SamplingRequest],
    finished: "asyncio.Queue[RolloutGroup | Exception]",
) -> None:
    try:
        async for group in sampler.sample(requests):
            finished.put_nowait(group)
    except Exception as error:  # raised again where the groups are read
        finished.put_nowait(error)
