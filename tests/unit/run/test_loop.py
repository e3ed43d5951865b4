"""The loop on fakes: order, versions, records and what happens when a role fails."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from rkd_online.errors import ClusterError, TrainingError
from rkd_online.metrics.busy import BusySpan
from rkd_online.run.loop import Roles, train
from rkd_online.run.report import StepReporter
from rkd_online.spec import JobSpec
from rkd_online.types import (
    Logprobs,
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
        "rollout": {"prompts_per_step": 3, "group_size": 2, "timeout_seconds": 0.5},
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
        self.silent_scorer = False

    def requests(self, step: int) -> list[SamplingRequest]:
        prompt = PromptItem("p", "train", step, token_ids([1, 2]), "3", "t", "d")
        return [SamplingRequest(3 * step + i, prompt, (0, 1), 1.0, 1.0, 4) for i in range(3)]

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        self.log.append(f"sample with {self.sampler_version}")
        spans = (VersionSpan(self.sampler_version, 0, 2),)
        for request in reversed(requests):
            rollouts = tuple(
                Rollout(i, token_ids([5, 6]), logprobs([-1.0, -2.0]), spans, "stop")
                for i in range(len(request.seeds))
            )
            yield RolloutGroup(request.group_id, request.prompt, rollouts)

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        if self.silent_scorer:
            await asyncio.sleep(60)
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

    async def save(self, step: int) -> None:
        self.log.append(f"checkpoint {step}")

    async def restore(self, folder: Path) -> WeightVersion:
        raise NotImplementedError

    async def busy_spans(self) -> list[BusySpan]:
        return []

    async def close(self) -> None: ...


class Reports:
    """The sink of a fake run."""

    def __init__(self, run: FakeRun) -> None:
        self.run = run

    def report(self, report: StepReport) -> None:
        self.run.log.append(f"report {report.step}")
        self.run.reports.append(report)

    def event(self, type: str, data: dict[str, object]) -> None: ...

    def close(self) -> None: ...


class Keeper:
    """The checkpoint role of a fake run (its ``save`` has another signature than the learner's)."""

    def __init__(self, run: FakeRun) -> None:
        self.run = run

    async def save(self, step: int) -> None:
        await self.run.save(step)


def run_train(fake: FakeRun, job: JobSpec, done: int = 0) -> None:
    roles = Roles(
        prompts=fake,
        generator=fake,
        scorer=fake,
        learner=fake,  # type: ignore[arg-type]
        publisher=WeightPublisher(fake, [fake], timeout_seconds=1),
        records=fake,
        validation=fake,
        checkpoints=Keeper(fake),
        reporter=StepReporter([fake], Reports(fake), correct_at=1.0),
    )
    asyncio.run(train(roles, job, done=done))


def test_each_step_runs_its_stages_in_order_on_the_newest_version() -> None:
    fake = FakeRun()
    run_train(fake, spec())
    assert fake.log == [
        "sample with 0", "update 1", "publish 1", "record 1", "report 1",
        "sample with 1", "update 2", "publish 2", "record 2", "validate 2", "report 2",
        "checkpoint 2",
        "sample with 2", "update 3", "publish 3", "record 3", "report 3", "checkpoint 3",
    ]  # fmt: skip


def test_a_batch_is_in_the_order_of_its_groups_whatever_ended_first() -> None:
    fake = FakeRun()
    run_train(fake, spec(steps=1))
    assert [row.group_id for row in fake.batches[0].rows] == [3, 3, 4, 4, 5, 5]


def test_a_resumed_run_starts_with_the_step_after_the_last() -> None:
    fake = FakeRun()
    fake.sampler_version = 2
    run_train(fake, spec(), done=2)
    assert [report.step for report in fake.reports] == [3]


def test_a_report_holds_metrics_of_all_stages() -> None:
    fake = FakeRun()
    run_train(fake, spec(steps=2))
    report = fake.reports[1]
    assert (report.step, report.version, report.staleness) == (2, 2, 0)
    assert report.metrics["policy/loss"] == 0.5
    assert report.metrics["validation/pass_at_1"] == 0.25
    assert report.metrics["reward/mean"] == 0.5
    assert report.metrics["weights/probe_difference"] == 0.0
    stages = {"generate", "score", "assemble", "update", "publish", "record", "evaluate", "step"}
    assert set(report.timings) == stages


def test_a_checkpoint_is_time_of_the_step_after_it() -> None:
    fake = FakeRun()
    run_train(fake, spec())
    assert ["checkpoint" in report.timings for report in fake.reports] == [False, False, True]


def test_rollouts_of_an_older_version_are_refused() -> None:
    fake = FakeRun()
    with pytest.raises(TrainingError, match="weight version 0 came while the learner is at 2"):
        run_train(fake, spec(), done=2)


def test_a_scorer_that_does_not_answer_ends_the_step() -> None:
    fake = FakeRun()
    fake.silent_scorer = True
    with pytest.raises(ClusterError, match=r"0\.5 s for 3 groups: 3 were sampled, 0 scored"):
        run_train(fake, spec())
