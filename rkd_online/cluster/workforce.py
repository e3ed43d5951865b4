"""A job's actors: reserved, named, started together, and ended together."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from rkd_online.cluster.actors import GeneratorActor, LearnerActor, ScorerActor
from rkd_online.cluster.placement import Ground, Placement, reserve
from rkd_online.cluster.roles import ActorGenerator, ActorLearner, ActorScorer
from rkd_online.inference.environment import engine_environment
from rkd_online.run.setup import JobSetup
from rkd_online.spec.job import JobSpec
from rkd_online.spec.needs import Bundle
from rkd_online.types import LearnerRank

log = logging.getLogger(__name__)


class RayWorkforce:
    """The actors of one attempt, in one placement group.

    They begin with their imports at once; ``start`` tells them the job. ``actor_ids`` has Ray's ids
    of all that ever were, by role and index.
    """

    def __init__(self, job: str, spec: JobSpec, placement: Placement) -> None:
        self._job = job
        self._resources = resources = spec.resources
        self._courses = spec.courses
        self._evaluators = 0
        self._placement = placement
        self.actor_ids: dict[str, str] = {}
        self._actors: list[Any] = []
        self._generator_actors: list[Any] = []
        # The generators take longest.
        self.generators = [self._generator(index) for index in range(resources.generator.count)]
        self.scorers = [
            [self._scorer(place, index) for index in range(resources.scorer.count)]
            for place in range(len(self._courses))
        ]
        self.learners = [
            ActorLearner(*self._actor(LearnerActor, "learner", index, index))
            for index in range(resources.learner.ranks)
        ]

    async def start(self, setup: JobSetup) -> None:
        """Wait until every model is loaded, side by side, and weights can flow; all actors end
        where one cannot start."""
        self._setup = setup
        try:
            await self._build(setup)
        except BaseException:
            self.kill()
            raise

    async def _build(self, setup: JobSetup) -> None:
        ranks = len(self.learners)
        meeting_point = await self.learners[0].meeting_point() if ranks > 1 else ""
        await asyncio.gather(
            *(
                learner.start(setup, LearnerRank(index, ranks, meeting_point))
                for index, learner in enumerate(self.learners)
            ),
            *(
                scorer.start(setup, course)
                for course, scorers in zip(setup.spec.courses, self.scorers, strict=True)
                for scorer in scorers
            ),
            *(generator.start(setup, setup.policy) for generator in self.generators),
        )
        await asyncio.gather(
            *(learner.connect(self._generator_actors) for learner in self.learners)
        )

    async def close_generators(self) -> None:
        """End the policy's generators."""
        for actor in self._generator_actors:
            ray.kill(actor)
            self._actors.remove(actor)
        self._generator_actors.clear()

    async def start_generator(self, model: Path) -> ActorGenerator:
        """A generator for another model, in the room of the first."""
        await self.close_generators()
        generator = self._generator(self._evaluators, role="evaluator")
        self._evaluators += 1
        await generator.start(self._setup, model)
        return generator

    async def close(self) -> None:
        """End all actors and give their room back; the learner first removes what it published."""
        try:
            await asyncio.gather(*(learner.close() for learner in self.learners))
        except Exception as error:
            # Whatever it is, it must not take the place of what the attempt made or met: the files
            # go with the next attempt.
            log.warning("the learner did not remove its weight files: %s", error)
        finally:
            self.kill()

    def kill(self) -> None:
        """End all actors, whatever they do."""
        for actor in self._actors:
            ray.kill(actor)
        self._actors.clear()
        self._placement.release()

    def _scorer(self, course: int, index: int) -> ActorScorer:
        resources, name = self._resources, self._courses[course].name
        bundle = resources.learner.ranks + course * resources.scorer.count + index
        role = f"scorer:{name}" if name else "scorer"
        return ActorScorer(*self._actor(ScorerActor, role, index, bundle))

    def _generator(self, index: int, role: str = "generator") -> ActorGenerator:
        scorers = self._resources.scorer.count * len(self._courses)
        # Evaluators come one after the other where the first generator was.
        place = index if role == "generator" else 0
        handle = self._actor(
            GeneratorActor, role, index, self._resources.learner.ranks + scorers + place
        )
        self._generator_actors.append(self._actors[-1])
        return ActorGenerator(*handle)

    def _actor(self, shell: Any, role: str, index: int, bundle: int) -> tuple[Any, str, float]:
        """One actor: its handle, its name and the time limit of its answers."""
        name = f"rkd:{self._job}:{role}:{index}"
        reserved: Bundle = self._placement.bundles[bundle]
        actor = shell.options(
            name=name,
            num_cpus=reserved["CPU"],
            num_gpus=reserved.get("GPU", 0),
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                placement_group=self._placement.group, placement_group_bundle_index=bundle
            ),
            runtime_env={"env_vars": engine_environment(self._resources.device)},
        ).remote()
        self._actors.append(actor)
        self.actor_ids[f"{role}:{index}"] = actor._actor_id.hex()
        return actor, name, self._resources.timeout_seconds


async def hire(job: str, spec: JobSpec, ground: Ground) -> RayWorkforce:
    """Reserve room for a job's actors and let them begin."""
    placement = await reserve(spec.resources, len(spec.courses), job, ground)
    return RayWorkforce(job, spec, placement)
