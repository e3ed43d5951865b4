"""A job's actors: reserved, named, started together, and ended together."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from rkd_online.cluster.actors import GeneratorActor, LearnerActor, ScorerActor
from rkd_online.cluster.placement import Bundle, Placement, reserve
from rkd_online.cluster.roles import ActorGenerator, ActorLearner, ActorRole, ActorScorer
from rkd_online.errors import ClusterError
from rkd_online.inference.environment import engine_environment
from rkd_online.run.setup import JobSetup

log = logging.getLogger(__name__)

PLACEMENT_TIMEOUT = 300.0
"""Seconds to wait for room on the cluster."""

LEARNER_BUNDLE, SCORER_BUNDLE, FIRST_GENERATOR_BUNDLE = 0, 1, 2


class RayWorkforce:
    """The actors of one attempt, in one placement group."""

    def __init__(self, setup: JobSetup, placement: Placement) -> None:
        self._setup = setup
        self._placement = placement
        self._actors: list[Any] = []
        self._generator_actors: list[Any] = []
        count = setup.spec.resources.generator.count
        learner = self._start(LearnerActor, "learner", 0, LEARNER_BUNDLE)
        self.learner = ActorLearner(*learner, setup)
        scorer = self._start(ScorerActor, "scorer", 0, SCORER_BUNDLE)
        self.scorer = ActorScorer(*scorer, setup)
        self.generators = [self._generator(index, setup.policy) for index in range(count)]

    async def ready(self) -> None:
        """Wait until every model is loaded; they load side by side."""
        roles: list[ActorRole] = [self.learner, self.scorer, *self.generators]
        await asyncio.gather(*(role.ready() for role in roles))
        await self.learner.connect(self._generator_actors)

    async def close_generators(self) -> None:
        """End the policy's generators."""
        for actor in self._generator_actors:
            ray.kill(actor)
            self._actors.remove(actor)
        self._generator_actors.clear()

    async def start_generator(self, model: Path) -> ActorGenerator:
        """A generator for another model, in the room of the first."""
        generator = self._generator(0, model, role="evaluator")
        await generator.ready()
        return generator

    async def close(self) -> None:
        """End all actors and give their room back; the learner first removes what it published."""
        try:
            await self.learner.close()
        except ClusterError as error:
            # It died or hangs, which is known by now: its files go with the next attempt.
            log.warning("the learner did not remove its weight files: %s", error)
        finally:
            self.kill()

    def kill(self) -> None:
        """End all actors, whatever they do."""
        for actor in self._actors:
            ray.kill(actor)
        self._actors.clear()
        self._placement.release()

    def _generator(self, index: int, model: Path, role: str = "generator") -> ActorGenerator:
        bundle = FIRST_GENERATOR_BUNDLE + index
        started = self._start(GeneratorActor, role, index, bundle)
        self._generator_actors.append(self._actors[-1])
        return ActorGenerator(*started, self._setup, model)

    def _start(self, shell: Any, role: str, index: int, bundle: int) -> tuple[Any, str, float]:
        """Start one actor; returns its handle, its name and the time limit of its answers."""
        name = f"rkd:{self._setup.job}:{role}:{index}"
        reserved: Bundle = self._placement.bundles[bundle]
        actor = shell.options(
            name=name,
            num_cpus=reserved["CPU"],
            num_gpus=reserved.get("GPU", 0),
            max_concurrency=64,
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                placement_group=self._placement.group, placement_group_bundle_index=bundle
            ),
            runtime_env={"env_vars": engine_environment(self._setup.spec.resources.device)},
        ).remote()
        self._actors.append(actor)
        return actor, name, self._setup.spec.resources.timeout_seconds


async def start_workforce(setup: JobSetup) -> RayWorkforce:
    """Reserve room, start all actors and wait for them."""
    placement = await reserve(setup.spec.resources, setup.job, PLACEMENT_TIMEOUT)
    workforce = RayWorkforce(setup, placement)
    try:
        await workforce.ready()
    except BaseException:
        workforce.kill()
        raise
    return workforce
