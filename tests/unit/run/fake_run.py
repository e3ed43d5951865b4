"""A run whose roles write down what happens, for tests of the loop."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from rkd_online.metrics.busy import BusySpan, WorkLog
from rkd_online.run.loop import Roles, train
from rkd_online.run.pipeline import Pipeline
from rkd_online.run.report import StepReporter
from rkd_online.run.steering import NO_ORDERS, Orders, Steering
from rkd_online.spec import JobSpec
from rkd_online.types import (
    Logprobs,
    Progress,
    PromptItem,
    PublishedWeights,
    Rollout,
    RolloutGroup,
    SamplingRequest,
    ScoredGroup,
    ScoredRollout,
    StepReport,
    TrainingBatch,
    UpdateResult,
    VersionSpan,
    WeightVersion,
    logprobs,
    token_ids,
)
from rkd_online.weights.publisher import WeightPublisher

PROBE = logprobs([-1.0])


def spec(**changes: object) -> JobSpec:
    values: dict[str, object] = {
        "version": 1,
        "name": "loop",
        "policy": {"model": "zoo:chain-sum/student"},
        "teacher": {"model": "zoo:chain-sum/teacher"},
        "task": {"type": "chain_sum"},
        "algorithm": {"type": "rlad"},
        "rollout": {"prompts_per_step": 3, "group_size": 2},
        "evaluation": {"every": 2},
        "checkpoint": {"every": 2},
        "steps": 3,
    }
    return JobSpec.model_validate(values | changes)


class FakeRun:
    """Every role in one object, writing down what happens."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.batches: list[TrainingBatch] = []
        self.reports: list[StepReport] = []
        self.sampler_version: WeightVersion = 0
        self.saved: list[Progress] = []

    def request(self, group_id: int) -> SamplingRequest:
        prompt = PromptItem("p", "train", group_id, token_ids([1, 2]), "3", "t", "d")
        return SamplingRequest(group_id, prompt, (0, 1), 1.0, 1.0, 4)

    def follow(self, spec: JobSpec, progress: Progress) -> None:
        self.log.append(f"prompts of {spec.steps} steps from group {progress.next_group}")

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        self.log.append(f"sample with {self.sampler_version}")
        spans = (VersionSpan(self.sampler_version, 0, 2),)
        for request in reversed(requests):
            await asyncio.sleep(0)
            rollouts = tuple(
                Rollout(i, token_ids([5, 6]), logprobs([-1.0, -2.0]), spans, "stop")
                for i in range(len(request.seeds))
            )
            yield RolloutGroup(request.group_id, request.prompt, rollouts)

    async def abort(self, group_ids: Sequence[int]) -> None:
        raise NotImplementedError

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        scored = tuple(
            ScoredRollout(rollout, float(i), {"verifier": float(i)}, float(i), logprobs([-1, -1]))
            for i, rollout in enumerate(group.rollouts)
        )
        return ScoredGroup(group.group_id, group.prompt, scored)

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        return await self.score(group)

    async def update(self, batch: TrainingBatch) -> UpdateResult:
        self.log.append(f"update {batch.step}")
        self.batches.append(batch)
        old = tuple(row.sampler_logprobs for row in batch.rows)
        return UpdateResult(batch.step, {"policy/loss": 0.5}, old)

    async def change(self, spec: JobSpec) -> None:
        self.log.append(f"learn at {spec.optimizer.learning_rate:g} for {spec.steps} steps")

    async def publish(self) -> PublishedWeights:
        version = self.batches[-1].step
        self.log.append(f"publish {version}")
        return PublishedWeights(version, "nowhere", "", PROBE)

    async def load_weights(self, weights: PublishedWeights) -> Logprobs:
        self.sampler_version = weights.version
        return PROBE

    def rollouts(
        self, groups: Sequence[ScoredGroup], batch: TrainingBatch, update: UpdateResult
    ) -> None:
        self.log.append(f"record {batch.step}")

    async def validate(self) -> dict[str, float]:
        self.log.append(f"validate {self.sampler_version}")
        return {"validation/pass_at_1": 0.25}

    async def save(self, progress: Progress) -> None:
        self.log.append(f"checkpoint {progress.step}")
        self.saved.append(progress)

    async def restore(self, folder: Path) -> WeightVersion:
        raise NotImplementedError

    async def work(self) -> WorkLog:
        return WorkLog((), "one", 0.0)

    def step(self, step: int, spans: Mapping[str, Sequence[BusySpan]]) -> None:
        self.log.append(f"trace {step}")

    async def close(self) -> None: ...


class Reports:
    """The sink of a fake run."""

    def __init__(self, run: FakeRun) -> None:
        self.run = run

    def report(self, report: StepReport) -> None:
        self.run.log.append(f"report {report.step}")
        self.run.reports.append(report)

    def event(self, type: str, data: dict[str, object]) -> None:
        self.run.log.append(f"{type}: {data}")

    def close(self) -> None: ...


class Keeper:
    """The checkpoint role of a fake run (its ``save`` has another signature than the learner's)."""

    def __init__(self, run: FakeRun) -> None:
        self.run = run

    async def save(self, progress: Progress) -> None:
        await self.run.save(progress)


def run_train(
    fake: FakeRun,
    job: JobSpec,
    done: int = 0,
    earlier: Sequence[StepReport] = (),
    *,
    orders: Orders = NO_ORDERS,
    applied: int = 0,
) -> Steering:
    """Nothing may be under way when the loop has ended, however it ends."""
    progress = Progress(done, 3 * done, ())
    roles = Roles(
        batches=Pipeline(fake, fake, fake, job, progress),
        learner=fake,  # type: ignore[arg-type]
        publisher=WeightPublisher(fake, [fake], precision="float32", timeout_seconds=1),
        records=fake,
        validation=fake,
        checkpoints=Keeper(fake),
        reporter=StepReporter({"generator:0": fake}, Reports(fake), fake, correct_at=1.0),
    )
    steering = Steering(job, progress, earlier, orders=orders, applied=applied)

    async def run() -> None:
        try:
            await train(roles, steering, progress)
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
    return steering
