"""The loop: generate, score, assemble, update, publish, report.

Consumes prompts. Produces weight versions, records, reports and checkpoints. Waits for the last
score of a step, the update and the swap; each has its timeout. A group is scored the moment its
last sibling ends. Step n samples with weight version n-1 and makes version n.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rkd_online.batching.assemble import assemble
from rkd_online.errors import ClusterError
from rkd_online.generation.pool import Sampler
from rkd_online.run.freshness import staleness
from rkd_online.run.report import StepReporter
from rkd_online.run.roles import Learner, Scorer
from rkd_online.run.stages import StageClock
from rkd_online.spec.job import JobSpec
from rkd_online.types import SamplingRequest, ScoredGroup, TrainingBatch, UpdateResult
from rkd_online.weights.publisher import WeightPublisher


class Prompts(Protocol):
    """What each step samples."""

    def requests(self, step: int) -> list[SamplingRequest]: ...


class Records(Protocol):
    """What is kept of each step's rollouts."""

    def rollouts(
        self, groups: Sequence[ScoredGroup], batch: TrainingBatch, update: UpdateResult
    ) -> None: ...


class Validation(Protocol):
    """The held-out check between steps."""

    async def validate(self) -> dict[str, float]: ...


class Checkpoints(Protocol):
    """What survives the run."""

    async def save(self, step: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Roles:
    """Everything that the loop calls."""

    prompts: Prompts
    generator: Sampler
    scorer: Scorer
    learner: Learner
    publisher: WeightPublisher
    records: Records
    validation: Validation
    checkpoints: Checkpoints
    reporter: StepReporter


async def train(roles: Roles, spec: JobSpec, *, done: int) -> None:
    """Run the steps after step ``done``. A checkpoint's time belongs to the step after it."""
    clock = StageClock()
    for step in range(done + 1, spec.steps + 1):
        requests = roles.prompts.requests(step)
        groups = await sample_and_score(roles, requests, clock, spec.rollout.timeout_seconds)
        age = staleness(groups, learner_version=step - 1)
        with clock.stage("assemble"):
            batch = assemble(
                groups,
                step=step,
                temperature=spec.rollout.temperature,
                algorithm=spec.algorithm,
                correct_at=spec.correct_at,
            )
        with clock.stage("update"):
            update = await roles.learner.update(batch)
        with clock.stage("publish"):
            probe = await roles.publisher.publish()
        with clock.stage("record"):
            roles.records.rollouts(groups, batch, update)
        metrics = update.metrics | {"weights/probe_difference": probe}
        if spec.evaluation.every and step % spec.evaluation.every == 0:
            with clock.stage("evaluate"):
                metrics |= await roles.validation.validate()
        await roles.reporter.step(step, age, groups, metrics, clock)
        clock = StageClock()
        if step % spec.checkpoint.every == 0 or step == spec.steps:
            with clock.stage("checkpoint"):
                await roles.checkpoints.save(step)


async def sample_and_score(
    roles: Roles, requests: Sequence[SamplingRequest], clock: StageClock, timeout: float
) -> list[ScoredGroup]:
    """All groups of a step, in the order of their ids, whatever order they came in."""
    scoring: list[asyncio.Task[ScoredGroup]] = []
    started = sampled = time.perf_counter()
    try:
        async with asyncio.timeout(timeout):
            async for group in roles.generator.sample(requests):
                scoring.append(asyncio.create_task(roles.scorer.score(group)))
            sampled = time.perf_counter()
            groups = await asyncio.gather(*scoring)
    except TimeoutError:
        scored = sum(task.done() and not task.cancelled() for task in scoring)
        raise ClusterError(
            f"a step waited {timeout:g} s for {len(requests)} groups: {len(scoring)} were sampled, "
            f"{scored} scored; raise rollout.timeout_seconds or sample less per step"
        ) from None
    finally:
        for task in scoring:
            task.cancel()
    clock.add("generate", sampled - started)
    clock.add("score", time.perf_counter() - sampled)
    return sorted(groups, key=lambda group: group.group_id)
