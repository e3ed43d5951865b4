"""Groups in the making: rollouts that wait for their siblings, on their way to whoever asked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias

from rkd_online.types import Rollout, RolloutGroup, SamplingRequest

Finished: TypeAlias = RolloutGroup | BaseException | None
"""A whole group, what went wrong, or a group that never comes."""


class OpenGroups:
    """The groups of one call. ``add`` and ``fail`` are called on the engine's thread, everything
    else on the event loop that made it."""

    def __init__(self, requests: Sequence[SamplingRequest]) -> None:
        self._requests = {request.group_id: request for request in requests}
        self._rollouts: dict[int, list[Rollout]] = {key: [] for key in self._requests}
        self._finished: asyncio.Queue[Finished] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def add(self, group_id: int, rollout: Rollout) -> None:
        """One sibling has ended; with the last its group is whole."""
        request, rollouts = self._requests[group_id], self._rollouts[group_id]
        rollouts.append(rollout)
        if len(rollouts) == len(request.seeds):
            ordered = sorted(rollouts, key=lambda sibling: sibling.index)
            self._put(RolloutGroup(group_id, request.prompt, tuple(ordered)))

    def fail(self, error: BaseException) -> None:
        """What the engine says of a request, or of itself."""
        self._put(error)

    def give_up(self, group_ids: Sequence[int]) -> None:
        """No more siblings of these groups come; those that are whole stay."""
        for group_id in self._rollouts.keys() & set(group_ids):
            if len(self._rollouts[group_id]) < len(self._requests[group_id].seeds):
                self._put(None)

    async def finished(self) -> AsyncIterator[RolloutGroup]:
        """Every group that comes, when it is whole. Raises what the engine raised."""
        for _ in self._requests:
            item = await self._finished.get()
            if isinstance(item, BaseException):
                raise item
            if item is not None:
                yield item

    def _put(self, item: Finished) -> None:
        self._loop.call_soon_threadsafe(self._finished.put_nowait, item)
