"""The pipeline on generators and scorers whose every answer the test gives."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from rkd_online.errors import ClusterError
from rkd_online.run.pipeline import Pipeline
from rkd_online.run.stages import StageClock
from rkd_online.spec import JobSpec
from rkd_online.types import (
    FIRST_PHASE,
    Progress,
    PromptItem,
    Rollout,
    RolloutGroup,
    SamplingRequest,
    ScoredGroup,
    ScoredRollout,
    VersionSpan,
    WeightVersion,
    logprobs,
    token_ids,
)

START = Progress(0, 0, ())


def job(max_staleness: int, **rollout: object) -> JobSpec:
    return JobSpec.model_validate(
        {
            "version": 1,
            "name": "pipeline",
            "policy": {"model": "zoo:chain-sum/student"},
            "task": {"type": "chain_sum"},
            "algorithm": {"type": "grpo"},
            "rollout": {"prompts_per_step": 2, "group_size": 2, "max_staleness": max_staleness}
            | rollout,
            "steps": 4,
        }
    )


@dataclass
class Workers:
    """Prompts, generators and scorers in one object."""

    asked: list[int] = field(default_factory=list)
    aborted: list[int] = field(default_factory=list)
    followed: list[tuple[int, int]] = field(default_factory=list)
    """Steps of a changed job, and the first group that was not asked for when it was."""
    scored: list[int] = field(default_factory=list)
    rewarded: list[int] = field(default_factory=list)
    rewards: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Those of a group's siblings; without any, 1 each."""
    held_scores: dict[int, asyncio.Event] = field(default_factory=dict)
    """Groups whose scores come once their event is set."""
    ended: dict[int, asyncio.Future[RolloutGroup]] = field(default_factory=dict)

    def request(self, group_id: int) -> SamplingRequest:
        prompt = PromptItem(f"p{group_id}", "train", group_id, token_ids([1]), "", "t", "d")
        return SamplingRequest(group_id, prompt, (0, 1), 1.0, 1.0, 4)

    def follow(self, spec: JobSpec, progress: Progress) -> None:
        self.followed.append((spec.steps, progress.next_group))

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        futures = []
        for request in requests:
            self.asked.append(request.group_id)
            future = asyncio.get_running_loop().create_future()
            self.ended[request.group_id] = future
            futures.append(future)
        for group in asyncio.as_completed(futures):
            yield await group

    async def abort(self, group_ids: Sequence[int]) -> None:
        self.aborted.extend(group_ids)

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        self.scored.append(group.group_id)
        if group.group_id in self.held_scores:
            await self.held_scores[group.group_id].wait()
        return self._judged(group)

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        self.rewarded.append(group.group_id)
        return self._judged(group)

    def _judged(self, group: RolloutGroup) -> ScoredGroup:
        rewards = self.rewards.get(group.group_id, (1.0, 1.0))
        pairs = zip(group.rollouts, rewards, strict=True)
        ones = tuple(ScoredRollout(one, reward, {}, 1.0, None) for one, reward in pairs)
        return ScoredGroup(group.group_id, group.prompt, ones)

    async def end(self, *group_ids: int, version: WeightVersion = 0) -> None:
        """These groups end, sampled with ``version``; whatever follows of it happens."""
        for key in group_ids:
            spans = (VersionSpan(version, 0, 1),)
            rollouts = tuple(
                Rollout(i, token_ids([5]), logprobs([-1.0]), spans, "stop") for i in range(2)
            )
            request = self.request(key)
            self.ended[key].set_result(RolloutGroup(key, request.prompt, rollouts))
        await settled()


class StoppedClock:
    """Moves when it is told to."""

    def __init__(self, at: float) -> None:
        self.at = at

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def ids(pipeline: Pipeline, step: int) -> list[int]:
    return [group.group_id for group in await pipeline.batch(step, StageClock())]


def test_strictly_on_policy_a_version_is_asked_for_one_step_alone() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(0), START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        assert workers.asked == [0, 1]
        await workers.end(1, 0)
        assert await ids(pipeline, 1) == [0, 1]
        await settled()
        assert workers.asked == [0, 1]
        pipeline.sample_with(1, teacher=True)
        await settled()
        assert workers.asked == [0, 1, 2, 3]

    asyncio.run(run())


def test_with_staleness_2_three_steps_are_under_way_and_never_more_than_the_job_has() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(2), START)
        asked = []
        for version in range(4):
            pipeline.sample_with(version, teacher=True)
            await settled()
            asked.append(len(workers.asked))
            await workers.end(2 * version, 2 * version + 1, version=version)
            await ids(pipeline, version + 1)
        assert asked == [6, 8, 8, 8]

    asyncio.run(run())


def test_a_batch_is_the_first_groups_that_are_scored_whatever_is_still_sampled() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(1), START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        await workers.end(3, 1)
        assert await ids(pipeline, 1) == [1, 3]
        assert workers.scored == [3, 1]
        pipeline.sample_with(1, teacher=True)
        await settled()
        await workers.end(5, 4, version=1)
        await workers.end(2, 0)
        assert await ids(pipeline, 2) == [0, 2]

    asyncio.run(run())


def test_a_group_older_than_the_staleness_is_dropped_counted_and_replaced() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(1), START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        await workers.end(1, 2)
        assert await ids(pipeline, 1) == [1, 2]
        pipeline.sample_with(1, teacher=True)
        await settled()
        await workers.end(4, 5, version=1)
        assert await ids(pipeline, 2) == [4, 5]
        pipeline.sample_with(2, teacher=True)
        await settled()
        assert workers.asked == list(range(8))
        await workers.end(0, 3, version=0)
        await workers.end(6, 7, version=2)
        assert await ids(pipeline, 3) == [6, 7]
        await settled()
        assert workers.asked == list(range(10))
        assert pipeline.take_dropped() == {
            "rollout/stale_groups": 2,
            "rollout/late_groups": 0,
            "rollout/flat_groups": 0,
        }
        assert pipeline.take_dropped() == {
            "rollout/stale_groups": 0,
            "rollout/late_groups": 0,
            "rollout/flat_groups": 0,
        }

    asyncio.run(run())


def test_a_group_that_became_too_old_while_it_waited_is_dropped() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(1), START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        await workers.end(0, 1, 3)
        assert await ids(pipeline, 1) == [0, 1]
        pipeline.sample_with(1, teacher=True)
        await settled()
        await workers.end(2, 4, version=0)
        assert await ids(pipeline, 2) == [2, 3]
        pipeline.sample_with(2, teacher=True)
        await settled()
        assert pipeline.progress(FIRST_PHASE) == Progress(2, 8, (4, 5, 6, 7))
        await workers.end(5, 6, version=2)
        assert await ids(pipeline, 3) == [5, 6]
        assert pipeline.take_dropped()["rollout/stale_groups"] == 1

    asyncio.run(run())


def test_a_group_that_is_late_is_aborted_counted_and_replaced() -> None:
    async def run() -> None:
        workers = Workers()
        spec = job(0, group_timeout_seconds=0.05)
        pipeline = Pipeline(workers, workers, workers, spec, START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        await workers.end(1)
        batch = asyncio.create_task(ids(pipeline, 1))
        while workers.asked != [0, 1, 2]:
            await asyncio.sleep(0.01)
        await workers.end(0, 2)
        assert await batch == [1, 2]
        assert workers.aborted == [0]
        assert workers.scored == [1, 2]
        assert pipeline.take_dropped() == {
            "rollout/stale_groups": 0,
            "rollout/late_groups": 1,
            "rollout/flat_groups": 0,
        }
        assert pipeline.progress(FIRST_PHASE) == Progress(1, 3, ())

    asyncio.run(run())


def test_no_group_is_late_while_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        clock = StoppedClock(0.0)
        monkeypatch.setattr("rkd_online.run.pipeline.time", clock)
        workers = Workers()
        spec = job(0, prompts_per_step=3, group_timeout_seconds=600)
        pipeline = Pipeline(workers, workers, workers, spec, START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        batch = asyncio.create_task(ids(pipeline, 1))
        await settled()
        for group, now in ((0, 500.0), (1, 1000.0), (2, 1500.0)):
            clock.at = now
            await workers.end(group)
        assert await batch == [0, 1, 2]
        assert (workers.asked, workers.aborted) == ([0, 1, 2], [])

    asyncio.run(run())


def test_only_as_many_groups_are_late_as_the_step_still_needs() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(1, group_timeout_seconds=0.05), START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        await workers.end(3)
        batch = asyncio.create_task(ids(pipeline, 1))
        while not workers.aborted:
            await asyncio.sleep(0.01)
        await settled()
        assert (workers.asked, workers.aborted) == ([0, 1, 2, 3, 4], [0])
        await workers.end(2)
        assert await batch == [2, 3]

    asyncio.run(run())


def test_a_group_that_waits_for_its_scores_is_not_late() -> None:
    async def run() -> None:
        workers = Workers(held_scores={0: asyncio.Event()})
        spec = job(0, group_timeout_seconds=0.01, timeout_seconds=0.1)
        pipeline = Pipeline(workers, workers, workers, spec, START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        await workers.end(0, 1)
        with pytest.raises(ClusterError, match="of 2 asked for, 2 were sampled and 1 scored"):
            await ids(pipeline, 1)
        assert (workers.asked, workers.aborted) == ([0, 1], [])
        await pipeline.close()

    asyncio.run(run())


def test_a_group_that_is_too_old_when_it_ends_is_not_scored() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(0), Progress(1, 2, ()))
        pipeline.sample_with(1, teacher=True)
        await settled()
        await workers.end(2, version=0)
        await workers.end(3, version=1)
        assert (workers.asked, workers.scored) == ([2, 3, 4], [3])
        assert pipeline.take_dropped() == {
            "rollout/stale_groups": 1,
            "rollout/late_groups": 0,
            "rollout/flat_groups": 0,
        }

    asyncio.run(run())


def test_a_run_that_goes_on_asks_first_for_what_was_under_way() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(1), Progress(2, 7, (3, 5)))
        pipeline.sample_with(2, teacher=True)
        await settled()
        assert workers.asked == [3, 5, 7, 8]

    asyncio.run(run())


def test_what_a_generator_or_scorer_raises_ends_the_wait() -> None:
    async def run() -> None:
        for broken in ("sample", "score"):
            workers = Workers()

            def fail(*_: object) -> object:
                raise ClusterError("the actor died")

            setattr(workers, broken, fail)
            pipeline = Pipeline(workers, workers, workers, job(0), START)
            pipeline.sample_with(0, teacher=True)
            await settled()
            if broken == "score":
                await workers.end(0)
            with pytest.raises(ClusterError, match="the actor died"):
                await ids(pipeline, 1)

    asyncio.run(run())


def test_a_step_that_waits_too_long_says_for_what() -> None:
    async def run() -> None:
        workers = Workers(held_scores={0: asyncio.Event()})
        pipeline = Pipeline(workers, workers, workers, job(1, timeout_seconds=0.05), START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        await workers.end(0, 3)
        expected = r"0\.05 s for 2 groups: of 4 asked for, 2 were sampled and 1 scored"
        with pytest.raises(ClusterError, match=expected):
            await ids(pipeline, 1)
        await pipeline.close()
        assert not pipeline._tasks

    asyncio.run(run())


def test_the_clock_tells_waiting_for_rollouts_from_waiting_for_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        now = StoppedClock(100.0)
        monkeypatch.setattr("rkd_online.run.pipeline.time", now)
        workers, clock = Workers(held_scores={0: asyncio.Event()}), StageClock()
        pipeline = Pipeline(workers, workers, workers, job(0), START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        batch = asyncio.create_task(pipeline.batch(1, clock))
        await settled()
        now.at = 103.0
        await workers.end(0, 1)
        now.at = 107.0
        workers.held_scores[0].set()
        await batch
        assert clock.seconds() == {"generate": 3.0, "score": 4.0}

    asyncio.run(run())


def test_what_is_given_up_is_aborted_where_it_is_not_sampled_and_comes_no_more() -> None:
    async def run() -> None:
        workers = Workers(held_scores={3: asyncio.Event()})
        pipeline = Pipeline(workers, workers, workers, job(1), START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        await workers.end(0, 1, 3)
        assert await ids(pipeline, 1) == [0, 1]
        await pipeline.give_up()
        assert workers.aborted == [2]
        assert not pipeline._tasks

    asyncio.run(run())


def test_where_nothing_is_under_way_nothing_is_aborted() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(0), START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        await workers.end(0, 1)
        await ids(pipeline, 1)
        await pipeline.give_up()
        assert workers.aborted == []

    asyncio.run(run())


async def flat_and_other(workers: Workers, *group_ids: int) -> None:
    """These groups end; all have equal rewards but those above 2."""
    for key in group_ids:
        workers.rewards[key] = (1.0, 1.0) if key <= 2 else (0.0, 1.0)
    await workers.end(*group_ids)


def test_groups_without_signal_are_dropped_and_refilled_until_there_is_no_room() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(0), START)
        pipeline.drop_flat(2)
        pipeline.sample_with(0, teacher=True)
        first = asyncio.create_task(ids(pipeline, 1))
        await settled()
        await flat_and_other(workers, 0, 1)
        assert workers.asked == [0, 1, 2, 3]
        await flat_and_other(workers, 2, 3)
        assert await first == [2, 3]
        assert pipeline.take_dropped()["rollout/flat_groups"] == 2
        await pipeline.close()

    asyncio.run(run())


def test_where_no_step_to_come_needs_the_teacher_groups_get_rewards_alone() -> None:
    """As was known when they were asked for: those of the second step are scored after that of the
    third is known to need no teacher."""

    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(1), START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        await workers.end(0, 1)
        assert await ids(pipeline, 1) == [0, 1]
        pipeline.sample_with(1, teacher=False)
        await settled()
        await workers.end(4, 2, 3, 5)
        assert await ids(pipeline, 2) == [2, 3]
        assert (workers.scored, workers.rewarded) == ([0, 1, 2, 3], [4, 5])
        await pipeline.close()

    asyncio.run(run())


def test_more_steps_are_asked_for_as_soon_as_there_are_any() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(0), Progress(3, 6, ()))
        more = job(0).model_copy(update={"steps": 5})
        pipeline.sample_with(3, teacher=True)
        await settled()
        await workers.end(6, 7, version=3)
        assert await ids(pipeline, 4) == [6, 7]
        pipeline.sample_with(4, teacher=False)
        await settled()
        assert workers.asked == [6, 7]
        pipeline.change(more)
        await settled()
        assert workers.asked == [6, 7, 8, 9]
        assert workers.followed == [(5, 8)]
        await workers.end(8, 9, version=4)
        assert await ids(pipeline, 5) == [8, 9]
        assert (workers.scored, workers.rewarded) == ([6, 7], [8, 9])

    asyncio.run(run())


def test_a_job_that_is_changed_before_its_first_step_asks_for_nothing_yet() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(0), START)
        pipeline.change(job(0).model_copy(update={"steps": 9}))
        await settled()
        assert workers.asked == []

    asyncio.run(run())


def test_groups_of_steps_that_a_job_no_longer_has_stand_in_for_earlier_ones() -> None:
    async def run() -> None:
        workers = Workers()
        pipeline = Pipeline(workers, workers, workers, job(2), START)
        pipeline.sample_with(0, teacher=True)
        await settled()
        assert workers.asked == [0, 1, 2, 3, 4, 5]
        await workers.end(0, 1)
        assert await ids(pipeline, 1) == [0, 1]
        pipeline.change(job(2).model_copy(update={"steps": 2}))
        pipeline.sample_with(1, teacher=True)
        await workers.end(5, 4)
        assert await ids(pipeline, 2) == [4, 5]
        assert workers.asked == [0, 1, 2, 3, 4, 5]
        assert pipeline.progress(FIRST_PHASE) == Progress(2, 6, (2, 3))
        await pipeline.give_up()
        assert workers.aborted == [2, 3]

    asyncio.run(run())
