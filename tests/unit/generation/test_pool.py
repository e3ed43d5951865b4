import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from rkd_online.generation.pool import GeneratorPool
from rkd_online.types import PromptItem, RolloutGroup, SamplingRequest, token_ids

PROMPT = PromptItem("p", "train", 0, token_ids([1]), "", "t", "d")
REQUESTS = [SamplingRequest(i, PROMPT, (0,), 1.0, 1.0, 4) for i in range(5)]


class FakeSampler:
    def __init__(self, fails: bool = False) -> None:
        self.asked: list[int] = []
        self.fails = fails

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        for request in requests:
            self.asked.append(request.group_id)
            await asyncio.sleep(0)
            if self.fails:
                raise RuntimeError("engine is gone")
            yield RolloutGroup(request.group_id, request.prompt, ())


async def collect(samplers: list[FakeSampler]) -> list[int]:
    return [group.group_id async for group in GeneratorPool(samplers).sample(REQUESTS)]


def test_groups_are_dealt_in_turn_and_all_come_back() -> None:
    samplers = [FakeSampler(), FakeSampler()]
    assert sorted(asyncio.run(collect(samplers))) == [0, 1, 2, 3, 4]
    assert [sampler.asked for sampler in samplers] == [[0, 2, 4], [1, 3]]


def test_the_error_of_one_generator_ends_the_sampling() -> None:
    with pytest.raises(RuntimeError, match="engine is gone"):
        asyncio.run(collect([FakeSampler(), FakeSampler(fails=True)]))
