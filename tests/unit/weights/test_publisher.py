import asyncio

import pytest

from rkd_online.errors import WeightSyncError
from rkd_online.types import Logprobs, PublishedWeights, logprobs
from rkd_online.weights.publisher import WeightPublisher


class FakeLearner:
    async def publish(self) -> PublishedWeights:
        return PublishedWeights(2, "somewhere", "digest", logprobs([-1.0, -3.0]))


class FakeGenerator:
    def __init__(self, probe: list[float], delay: float = 0.0) -> None:
        self.probe, self.delay = probe, delay
        self.loaded: list[int] = []

    async def load_weights(self, weights: PublishedWeights) -> Logprobs:
        await asyncio.sleep(self.delay)
        self.loaded.append(weights.version)
        return logprobs(self.probe)


def publish(*generators: FakeGenerator) -> float:
    publisher = WeightPublisher(FakeLearner(), generators, precision="float32", timeout_seconds=0.2)

    async def run() -> float:
        return await publisher.swap(await publisher.write())

    return asyncio.run(run())


def test_every_generator_gets_the_version() -> None:
    generators = FakeGenerator([-1.0, -3.0]), FakeGenerator([-1.0, -3.0])
    assert publish(*generators) == 0.0
    assert [generator.loaded for generator in generators] == [[2], [2]]


def test_a_generator_with_other_weights_is_not_accepted() -> None:
    with pytest.raises(WeightSyncError, match=r"generator 1 differs from the learner by 0\.5"):
        publish(FakeGenerator([-1.0, -3.0]), FakeGenerator([-1.0, -3.5]))


def test_a_generator_that_does_not_answer_ends_the_wait() -> None:
    with pytest.raises(WeightSyncError, match=r"did not load weight version 2 within"):
        publish(FakeGenerator([-1.0, -3.0], delay=5.0))
