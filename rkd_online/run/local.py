"""All workers in this process, without Ray."""

from contextlib import AsyncExitStack
from itertools import chain
from pathlib import Path

from rkd_online.inference.environment import prepare_engine_process
from rkd_online.run.roles import Generator
from rkd_online.run.setup import JobSetup
from rkd_online.run.workers import (
    build_generator,
    build_learner,
    build_scorer,
    connect_by_file,
)
from rkd_online.types import ALONE


class LocalWorkforce:
    """One generator, a scorer for each course and the learner, as plain objects."""

    def __init__(self, setup: JobSetup) -> None:
        prepare_engine_process(setup.spec.resources.device)
        self._setup = setup
        self.generators = [build_generator(setup, setup.policy)]
        self.scorers = [[build_scorer(setup, course)] for course in setup.spec.courses]
        self.learners = [build_learner(setup, ALONE)]

    async def ready(self) -> None:
        """Connect the learner to the generator."""
        for learner in self.learners:
            await connect_by_file(learner, self._setup)

    async def close_generators(self) -> None:
        """End the policy's engine."""
        for generator in self.generators:
            await generator.close()
        self.generators = []

    async def start_generator(self, model: Path) -> Generator:
        """An engine for another model. All engines of a process take turns."""
        return build_generator(self._setup, model)

    async def close(self) -> None:
        """End all workers, those behind one that fails to close too."""
        async with AsyncExitStack() as closing:
            for learner in self.learners:
                closing.push_async_callback(learner.close)
            for scorer in chain.from_iterable(self.scorers):
                closing.push_async_callback(scorer.close)
            closing.push_async_callback(self.close_generators)
