"""The loop: generate, score, assemble, update, publish, report.

Consumes scored groups. Produces weight versions, records, reports and checkpoints. Waits for a full
batch, the update and the swap; each has its timeout. Step n makes weight version n from rollouts
whose oldest token is of version n - 1 - ``max_staleness`` or newer: with 0 generators and learner
take turns, with more they work at the same time.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rkd_online.batching.assemble import assemble
from rkd_online.run.report import StepReporter
from rkd_online.run.roles import Policy
from rkd_online.run.stages import StageClock
from rkd_online.run.steering import Steering
from rkd_online.spec.job import JobSpec
from rkd_online.types import (
    PhasePlace,
    Progress,
    ScoredGroup,
    TrainingBatch,
    UpdateResult,
    WeightVersion,
)
from rkd_online.weights.publisher import WeightPublisher


class Batches(Protocol):
    """Where the groups of each step come from: what is sampled meanwhile, or a store."""

    def sample_with(self, version: WeightVersion, *, teacher: bool) -> None:
        """The generators have ``version`` now; ``teacher`` says whether a step to come needs the
        teacher's log-probs."""
        ...

    def change(self, spec: JobSpec) -> None:
        """Go on for as many steps as a changed job has."""
        ...

    def drop_flat(self, most: int) -> None:
        """Up to so many groups whose rewards are all equal are not wanted for the next step."""
        ...

    async def batch(self, step: int, clock: StageClock) -> list[ScoredGroup]:
        """The groups of step ``step``; the clock gets what was waited for."""
        ...

    def progress(self, phase: PhasePlace) -> Progress:
        """Where a run would go on that starts again after the last batch, in that phase."""
        ...

    def take_dropped(self) -> dict[str, float]:
        """How many groups were dropped since the last call, by metric."""
        ...

    async def give_up(self) -> None:
        """No step is to come: nothing that is under way is wanted."""
        ...

    async def close(self) -> None:
        """Stop waiting for anything that is still under way."""
        ...


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

    async def save(self, progress: Progress) -> None: ...


@dataclass(frozen=True, slots=True)
class Roles:
    """Everything that the loop calls."""

    batches: Batches
    learner: Policy
    publisher: WeightPublisher
    records: Records
    validation: Validation
    checkpoints: Checkpoints
    reporter: StepReporter


async def train(roles: Roles, steering: Steering, progress: Progress) -> None:
    """Run the steps after ``progress.step``. The next version's groups are asked for as soon as the
    generators have it, before the step is recorded; what is done between two steps, a checkpoint
    too, is time of the step after it. A run that was killed after its early stop has no step left.

    Raises Paused where a pause is asked for, behind a checkpoint of the step that was under way.
    """
    stopping, phases, batches = steering.stopping, steering.phases, roles.batches
    if stopping.stop is not None:
        roles.reporter.event("early_stop", stopping.stop.event())
        return
    await roles.reporter.start()
    try:
        await steering.look(progress.step, roles)
        steering.pause()
        batches.sample_with(progress.step, teacher=phases.needs_teacher(progress.step + 1))
        clock = StageClock()
        for step in stopping.steps(progress.step):
            plan = phases.plan(step)
            batches.drop_flat(plan.flat_groups)
            groups = await batches.batch(step, clock)
            with clock.stage("assemble"):
                batch = assemble(
                    groups,
                    step=step,
                    temperature=steering.spec.rollout.temperature,
                    algorithm=plan.algorithm,
                    turn=plan.turn,
                    correct_at=steering.spec.correct_at,
                    truncated=steering.spec.rollout.truncated,
                )
            with clock.stage("update"):
                update = await roles.learner.update(batch)
            with clock.stage("publish"):
                weights = await roles.publisher.write()
            with clock.stage("swap"):
                probe = await roles.publisher.swap(weights)
            metrics = update.metrics | plan.metrics() | {"weights/probe_difference": probe}
            if steering.validates(step):
                with clock.stage("evaluate"):
                    metrics |= await roles.validation.validate()
            batches.sample_with(step, teacher=phases.needs_teacher(step + 1))
            with clock.stage("record"):
                await asyncio.to_thread(roles.records.rollouts, groups, batch, update)
            metrics |= batches.take_dropped()
            report = await roles.reporter.step(step, groups, metrics, clock)
            clock = StageClock()
            await steering.look(step, roles)
            if stop := stopping.done(report):
                roles.reporter.event("early_stop", stop.event())
            elif step < stopping.last and (switch := phases.done(step, report.metrics)):
                roles.reporter.event("phase", switch.event())
            if steering.saves(step):
                with clock.stage("checkpoint"):
                    await roles.checkpoints.save(batches.progress(phases.place))
            steering.pause()
        await batches.give_up()
    finally:
        await batches.close()
