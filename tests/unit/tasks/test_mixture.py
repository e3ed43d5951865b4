"""Several tasks as one: whose problem is whose, in which order, and who judges it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from rkd_online.errors import TaskError
from rkd_online.spec.load import parse_spec
from rkd_online.spec.mixture import Part
from rkd_online.tasks.base import Completion, Failure, Problem
from rkd_online.tasks.build import build_task
from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.tasks.mixture import MixedRewards, Mixture, part_sizes
from rkd_online.tasks.order import PromptOrder, StagedOrder, first_prompts, job_order
from rkd_online.tasks.prompts import prompt_id
from rkd_online.tasks.rewards import RewardParts
from tests.unit.spec.mixed import mixed, part

# 60 training sums of two terms, 1,200 of four.
SHORT, LONG = ChainSum(2, 2), ChainSum(4, 4)
MIXTURE = Mixture({"short": SHORT, "long": LONG})
PARTS = parse_spec(mixed(part("short", 2, 2, weight=3), part("long", 4, 4))).parts


def test_problems_of_a_part_are_its_own_under_its_name() -> None:
    assert MIXTURE.size("train") == 1260
    assert part_sizes(MIXTURE, "test") == [20, 400]
    assert part_sizes(SHORT, "test") == [20]
    for index, source, place, name in ((59, SHORT, 59, "short"), (60, LONG, 0, "long")):
        own, found = source.problem("train", place), MIXTURE.problem("train", index)
        difficulty = f"{name}: {own.difficulty}"
        assert found == replace(own, index=index, task=name, difficulty=difficulty)
    with pytest.raises(IndexError, match=r"short \+ long has 420 test problems, asked for 420"):
        MIXTURE.problem("test", 420)


def test_no_two_prompts_share_an_id_though_two_parts_have_the_same_problems() -> None:
    twins = Mixture({"a": SHORT, "b": SHORT})
    ids = {prompt_id(twins.problem("train", index)) for index in range(120)}
    assert len(ids) == 120


def test_a_mixture_is_built_from_its_description() -> None:
    built = build_task(parse_spec(mixed(part("short", 2, 2), part("long", 4, 4))).task)
    assert built.name == "short + long"
    assert built.problem("test", 21) == MIXTURE.problem("test", 21)


def test_a_part_that_cannot_be_built_is_named() -> None:
    spec = parse_spec(mixed(part("sums"), part("gym") | {
        "task": {"type": "reasoning_gym", "dataset": "nothing"}
    }))  # fmt: skip
    with pytest.raises(TaskError, match=r"part 'gym' of the task: task\.dataset: reasoning-gym"):
        build_task(spec.task)


def test_each_part_is_walked_as_it_is_alone() -> None:
    taken = job_order(PARTS, [60, 1200], seed=5, groups=400).take(0, 400)
    short, long = [one for one in taken if one < 60], [one - 60 for one in taken if one >= 60]
    assert (len(short), len(long)) == (300, 100)
    assert short == PromptOrder(60, seed=5).take(0, 300)
    assert long == PromptOrder(1200, seed=5).take(0, 100)


@pytest.mark.parametrize("cut", [0, 1, 7, 64, 333])
def test_a_mixed_order_goes_on_from_any_cursor(cut: int) -> None:
    before = job_order(PARTS, [60, 1200], seed=5, groups=400).take(0, cut)
    after = job_order(PARTS, [60, 1200], seed=5, groups=400).take(cut, 400 - cut)
    assert before + after == job_order(PARTS, [60, 1200], seed=5, groups=400).take(0, 400)


def test_a_curriculum_in_a_part_goes_by_the_groups_of_that_part() -> None:
    """Of 40 groups a quarter is the gym's: 4 of its first stage, then 6 of its second."""
    stages = [{"levels": [0, 0], "share": 2}, {"levels": [1, 1], "share": 3}]
    gym = {"type": "reasoning_gym", "dataset": "chain_sum", "curriculum": stages}
    parts = parse_spec(mixed(part("sums", weight=3), part("gym") | {"task": gym})).parts
    taken = job_order(parts, [60, 10], seed=0, groups=40).take(0, 40)
    assert [one - 60 for one in taken if one >= 60] == StagedOrder([4, 10], [4, 10], 0).take(0, 10)


def equal(*names: str) -> tuple[Part, ...]:
    return parse_spec(mixed(*map(part, names))).parts


def test_held_out_prompts_are_the_first_of_each_part_by_its_weight() -> None:
    chosen = first_prompts(PARTS, [20, 400], 16)
    assert sorted(chosen) == [*range(12), *range(20, 24)]
    assert first_prompts(PARTS, [20, 400], 8) == chosen[:8]
    assert first_prompts(equal("a"), [3], 2) == [0, 1]


def test_what_a_part_has_too_few_of_the_others_give() -> None:
    chosen = first_prompts(equal("a", "b", "c"), [2, 9, 9], 12)
    assert sorted(chosen) == [0, 1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15]
    assert sorted(first_prompts(equal("a", "b", "c"), [2, 9, 9], 99)) == list(range(20))
    assert first_prompts(equal("a", "b"), [0, 0], 5) == []


class Fixed:
    """Gives everything the same reward."""

    def __init__(self, reward: float) -> None:
        self.reward = reward
        self.closed = False

    async def __call__(
        self, problem: Problem, completions: Sequence[Completion]
    ) -> list[RewardParts | Failure]:
        return [RewardParts(self.reward, {}, 0.0)] * len(completions)

    def close(self) -> None:
        self.closed = True


def test_a_problem_is_judged_by_its_own_parts_rewards() -> None:
    parts = {"short": Fixed(1.0), "long": Fixed(0.5)}
    rewards = MixedRewards(parts)
    answers = [Completion("", 1, "stop")]
    for index, reward in ((0, 1.0), (60, 0.5)):
        (found,) = asyncio.run(rewards(MIXTURE.problem("train", index), answers))
        assert isinstance(found, RewardParts) and found.reward == reward
    rewards.close()
    assert all(one.closed for one in parts.values())
