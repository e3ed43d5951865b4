"""How work is dealt to several generators and scorers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from rkd_online.run.pools import GeneratorPool, Load, ScorerPool, job_scorers
from rkd_online.spec.load import parse_spec
from rkd_online.types import (
    PromptItem,
    Rollout,
    RolloutGroup,
    SamplingRequest,
    ScoredGroup,
    VersionSpan,
    logprobs,
    token_ids,
)
from tests.unit.spec.job import job
from tests.unit.spec.mixed import mixed, part

PROMPT = PromptItem("p", "train", 0, token_ids([1]), "", "t", "d")


def request(group_id: int, max_new_tokens: int = 4) -> SamplingRequest:
    return SamplingRequest(group_id, PROMPT, (0,), 1.0, 1.0, max_new_tokens)


class FakeSampler:
    def __init__(self, fails: bool = False, holds: bool = False) -> None:
        self.asked: list[int] = []
        self.aborted: list[int] = []
        self.fails = fails
        self.holds = holds

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        for one in requests:
            self.asked.append(one.group_id)
            await asyncio.sleep(60 if self.holds else 0)
            if self.fails:
                raise RuntimeError("engine is gone")
            yield RolloutGroup(one.group_id, one.prompt, ())

    async def abort(self, group_ids: Sequence[int]) -> None:
        self.aborted.extend(group_ids)


async def collect(pool: GeneratorPool, requests: Sequence[SamplingRequest]) -> list[int]:
    return [group.group_id async for group in pool.sample(requests)]


def test_groups_of_one_size_are_dealt_in_turn_and_all_come_back() -> None:
    samplers = [FakeSampler(), FakeSampler()]
    found = asyncio.run(collect(GeneratorPool(samplers), [request(i) for i in range(5)]))
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert [sampler.asked for sampler in samplers] == [[0, 2, 4], [1, 3]]


def test_a_long_group_weighs_as_much_as_its_tokens() -> None:
    samplers = [FakeSampler(), FakeSampler()]
    requests = [request(0, 100), *(request(i, 30) for i in range(1, 6))]
    asyncio.run(collect(GeneratorPool(samplers), requests))
    assert [sampler.asked for sampler in samplers] == [[0, 5], [1, 2, 3, 4]]


def test_what_is_still_sampled_counts_for_the_next_call_and_what_ended_does_not() -> None:
    async def run() -> None:
        samplers = [FakeSampler(holds=True), FakeSampler()]
        pool = GeneratorPool(samplers)
        waiting = asyncio.create_task(collect(pool, [request(0)]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await collect(pool, [request(1)]) == [1]
        assert await collect(pool, [request(2)]) == [2]
        assert [sampler.asked for sampler in samplers] == [[0], [1, 2]]
        waiting.cancel()
        await asyncio.wait([waiting])
        await asyncio.sleep(0)
        samplers[0].holds = False
        assert await collect(pool, [request(3)]) == [3]
        assert samplers[0].asked == [0, 3]

    asyncio.run(run())


def test_what_is_aborted_weighs_nothing_any_more() -> None:
    async def run() -> None:
        samplers = [FakeSampler(holds=True), FakeSampler(holds=True)]
        pool = GeneratorPool(samplers)
        calls = [asyncio.create_task(collect(pool, [request(0, 8), request(1, 4)]))]
        await asyncio.sleep(0.01)
        await pool.abort([0])
        calls.append(asyncio.create_task(collect(pool, [request(2, 100), request(3, 100)])))
        await asyncio.sleep(0.01)
        assert [sampler.asked for sampler in samplers] == [[0, 2], [1, 3]]
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)

    asyncio.run(run())


def test_the_error_of_one_generator_ends_the_sampling() -> None:
    pool = GeneratorPool([FakeSampler(), FakeSampler(fails=True)])
    with pytest.raises(RuntimeError, match="engine is gone"):
        asyncio.run(collect(pool, [request(i) for i in range(5)]))


def test_an_abort_reaches_every_generator() -> None:
    samplers = [FakeSampler(), FakeSampler()]
    asyncio.run(GeneratorPool(samplers).abort([3, 4]))
    assert [sampler.aborted for sampler in samplers] == [[3, 4], [3, 4]]


class FakeScorer:
    def __init__(self) -> None:
        self.asked: list[int] = []
        self.at_once = self.most = 0

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        self.asked.append(group.group_id)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        return ScoredGroup(group.group_id, group.prompt, ())

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        return await self.score(group)


def group(group_id: int, tokens: int, task: str = "t") -> RolloutGroup:
    span = VersionSpan(0, 0, tokens)
    stream = token_ids([1] * tokens)
    rollout = Rollout(0, stream, logprobs([-1.0] * tokens), (span,), "stop")
    return RolloutGroup(group_id, replace(PROMPT, task=task), (rollout,))


def test_a_group_goes_to_the_scorer_with_the_fewest_tokens_outstanding() -> None:
    async def run() -> None:
        scorers = [FakeScorer(), FakeScorer()]
        pool = ScorerPool(scorers)
        groups = [group(0, 100), *(group(i, 30) for i in range(1, 6))]
        found = await asyncio.gather(*map(pool.score, groups))
        assert [one.group_id for one in found] == [0, 1, 2, 3, 4, 5]
        assert [scorer.asked for scorer in scorers] == [[0, 5], [1, 2, 3, 4]]

    asyncio.run(run())


def test_a_scorer_never_holds_more_groups_than_it_may() -> None:
    async def run() -> None:
        scorer = FakeScorer()
        pool = ScorerPool([scorer], at_once=2)
        await asyncio.gather(*(pool.reward(group(i, 1)) for i in range(7)))
        assert (scorer.most, len(scorer.asked)) == (2, 7)

    asyncio.run(run())


def test_load_counts_what_was_given_and_taken_back() -> None:
    load = Load(2)
    assert [load.add(5), load.add(1), load.add(1), load.add(9)] == [0, 1, 1, 1]
    load.remove(1, 9)
    load.remove(1, 1)
    assert load.add(1) == 1


STUDENT = {"model": "zoo:chain-sum/student"}


def test_every_group_reaches_the_scorers_of_its_own_teacher() -> None:
    """Parts a and c have the job's teacher, b its own; each teacher has two scorers."""

    async def run() -> None:
        spec = parse_spec(mixed(part("a"), part("b", teacher=STUDENT), part("c")))
        assert [course.name for course in spec.courses] == ["a+c", "b"]
        scorers = [[FakeScorer(), FakeScorer()], [FakeScorer(), FakeScorer()]]
        judge = job_scorers(spec.courses, scorers)
        groups = [group(number, 30, "abc"[number % 3]) for number in range(12)]
        found = await asyncio.gather(*map(judge.score, groups))
        assert [one.group_id for one in found] == list(range(12))
        asked = [sorted(one.asked + other.asked) for one, other in scorers]
        assert asked == [[0, 2, 3, 5, 6, 8, 9, 11], [1, 4, 7, 10]]
        assert [len(one.asked) for own in scorers for one in own] == [4, 4, 2, 2]
        await judge.reward(group(12, 30, "b"))
        assert 12 in scorers[1][0].asked

    asyncio.run(run())


def test_one_teacher_scores_prompts_of_any_name() -> None:
    scorer = FakeScorer()
    judge = job_scorers(parse_spec(job()).courses, [[scorer]])
    asyncio.run(judge.score(group(0, 1, "chain_sum")))
    assert scorer.asked == [0]
