"""What the loop itself costs: the real loop, pipeline, pools, assembly, records and reports, on
generators, scorers and a learner that answer at once."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from benchmarks.results import Figure, Goal, Result, Row, result
from rkd_online.metrics.busy import BusySpan, WorkLog
from rkd_online.run.loop import Roles, train
from rkd_online.run.pipeline import Pipeline
from rkd_online.run.pools import GeneratorPool, ScorerPool
from rkd_online.run.records import AttemptFolder
from rkd_online.run.report import StepReporter
from rkd_online.run.steering import Steering
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

GENERATORS, GROUP, TOKENS, STEPS = 1000, 8, 32, 8
ROLLOUTS = (12_800, 102_400)
PROMPT = PromptItem("p", "train", 0, token_ids(range(100, 116)), "3", "task", "easy")


class Instant:
    """Any role of a run, without any work."""

    def __init__(self) -> None:
        self.version: WeightVersion = 0
        self._learned: WeightVersion = 0
        self._ids = token_ids(range(TOKENS))
        self._logprobs = logprobs([-1.0] * TOKENS)

    def request(self, group_id: int) -> SamplingRequest:
        return SamplingRequest(group_id, PROMPT, tuple(range(GROUP)), 1.0, 1.0, TOKENS)

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        spans = (VersionSpan(self.version, 0, TOKENS),)
        for request in requests:
            await asyncio.sleep(0)
            rollouts = tuple(
                Rollout(index, self._ids, self._logprobs, spans, "stop")
                for index in range(len(request.seeds))
            )
            yield RolloutGroup(request.group_id, request.prompt, rollouts)

    async def abort(self, group_ids: Sequence[int]) -> None: ...

    def follow(self, spec: JobSpec, progress: Progress) -> None: ...

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        scored = tuple(
            ScoredRollout(one, float(one.index % 2), {"verifier": 1.0}, 1.0, self._logprobs)
            for one in group.rollouts
        )
        return ScoredGroup(group.group_id, group.prompt, scored)

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        return await self.score(group)

    async def update(self, batch: TrainingBatch) -> UpdateResult:
        self._learned = batch.step
        old = tuple(row.sampler_logprobs for row in batch.rows)
        return UpdateResult(batch.step, {}, old)

    async def change(self, spec: JobSpec) -> None: ...

    async def publish(self) -> PublishedWeights:
        return PublishedWeights(self._learned, "nowhere", "", self._logprobs)

    async def load_weights(self, weights: PublishedWeights) -> Logprobs:
        self.version = weights.version
        return self._logprobs

    async def save(self, folder: Path, progress: Progress) -> None: ...

    async def restore(self, folder: Path) -> WeightVersion:
        return self._learned

    async def work(self) -> WorkLog:
        return WorkLog((), "one", 0.0)

    async def close(self) -> None: ...


class Nothing:
    """Checkpoints, validation, sinks and traces that keep nothing."""

    async def save(self, progress: Progress) -> None: ...

    async def validate(self) -> dict[str, float]:
        return {}

    def report(self, report: StepReport) -> None: ...

    def event(self, type: str, data: dict[str, object]) -> None: ...

    def close(self) -> None: ...

    def step(self, step: int, spans: Mapping[str, Sequence[BusySpan]]) -> None: ...


def measure() -> Result:
    """Milliseconds a rollout at both sizes, and how they compare."""
    _milliseconds(ROLLOUTS[0])  # the first run imports what it needs
    small, large = (min(_milliseconds(n) for _ in range(3)) for n in ROLLOUTS)
    rows: list[Row] = [
        Figure(what=f"{GENERATORS} generators, {ROLLOUTS[0]:,} rollouts", value=small, unit="ms"),
        Goal(
            what=f"{GENERATORS} generators, {ROLLOUTS[1]:,} rollouts",
            value=large,
            unit="ms",
            bound="at most",
            limit=0.2,
        ),
        Goal(
            what="a rollout of the large run over one of the small",
            value=large / small,
            unit="x",
            bound="at most",
            limit=1.25,
        ),
    ]
    return result(
        "loop-cost", "The loop's own cost of a rollout, all roles answering at once", rows
    )


def _milliseconds(rollouts: int) -> float:
    """Of a rollout, in a run of ``STEPS`` steps with a staleness of 1: swaps, reports and all."""
    spec = _job(rollouts // GROUP // STEPS)
    instant, nothing = Instant(), Nothing()
    with tempfile.TemporaryDirectory() as folder:
        generators = [Instant() for _ in range(GENERATORS)]
        workers = {f"generator:{index}": one for index, one in enumerate(generators)}
        start = Progress(0, 0, ())
        policy, scorers = GeneratorPool(generators), ScorerPool([instant])
        roles = Roles(
            batches=Pipeline(instant, policy, scorers, spec, start),
            learner=instant,
            publisher=WeightPublisher(
                instant, generators, precision="float32", timeout_seconds=60.0
            ),
            records=AttemptFolder(Path(folder)),
            validation=nothing,
            checkpoints=nothing,
            reporter=StepReporter(
                workers | {"learner:0": instant}, nothing, nothing, correct_at=1.0
            ),
        )
        started = time.perf_counter()
        asyncio.run(train(roles, Steering(spec, start), start))
        return 1000 * (time.perf_counter() - started) / rollouts


def _job(prompts: int) -> JobSpec:
    return JobSpec.model_validate(
        {
            "version": 1,
            "name": "loop-cost",
            "policy": {"model": "zoo:chain-sum/student"},
            "teacher": {"model": "zoo:chain-sum/teacher"},
            "task": {"type": "chain_sum"},
            "algorithm": {"type": "rlad"},
            "rollout": {"prompts_per_step": prompts, "group_size": GROUP, "max_staleness": 1},
            "steps": STEPS,
        }
    )
