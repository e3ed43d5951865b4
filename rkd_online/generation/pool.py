"""Several generators behind the face of one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from rkd_online.types import RolloutGroup, SamplingRequest


class Sampler(Protocol):
    """One generator of the pool."""

    def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        """All groups of the requests, each as soon as its last sibling ends."""
        ...


async def sample_all(
    samplers: Sequence[Sampler], requests: Sequence[SamplingRequest]
) -> AsyncIterator[RolloutGroup]:
    """Groups of all samplers as they end.

    Request i goes to sampler i modulo their number, siblings together: which sequences share an
    engine is then a function of the requests alone.
    """
    finished: asyncio.Queue[RolloutGroup | BaseException] = asyncio.Queue()

    async def drain(sampler: Sampler, share: Sequence[SamplingRequest]) -> None:
        try:
            async for group in sampler.sample(share):
                finished.put_nowait(group)
        except Exception as error:
            finished.put_nowait(error)

    count = len(samplers)
    tasks = [
        asyncio.create_task(drain(sampler, requests[index::count]))
        for index, sampler in enumerate(samplers)
    ]
    try:
        for _ in requests:
            item = await finished.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        for task in tasks:
            task.cancel()
