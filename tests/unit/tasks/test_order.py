"""The order of training prompts is a function of size, seed and cursor alone."""

import subprocess
import sys

import pytest

from rkd_online.spec.task import ChainSumTask, ReasoningGymTask
from rkd_online.tasks.order import PromptOrder, StagedOrder, training_order


def test_each_epoch_takes_every_prompt_once_in_an_order_of_its_own() -> None:
    order = PromptOrder(10, seed=0)
    first, second = order.take(0, 10), order.take(10, 10)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


@pytest.mark.parametrize("cut", [0, 1, 9, 10, 11, 25])
def test_from_any_cursor_it_goes_on_as_if_never_cut(cut: int) -> None:
    before = PromptOrder(10, seed=3).take(0, cut)
    after = PromptOrder(10, seed=3).take(cut, 30 - cut)
    assert before + after == PromptOrder(10, seed=3).take(0, 30)


def test_seeds_give_different_orders() -> None:
    assert PromptOrder(50, seed=0).take(0, 50) != PromptOrder(50, seed=1).take(0, 50)


def test_the_order_is_the_same_in_another_process() -> None:
    program = "from rkd_online.tasks.order import PromptOrder as P; print(P(7, 0).take(5, 4))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(PromptOrder(7, 0).take(5, 4))


def test_a_step_may_take_more_prompts_than_there_are() -> None:
    taken = PromptOrder(3, seed=0).take(0, 7)
    assert sorted(taken[:3]) == sorted(taken[3:6]) == [0, 1, 2]


def test_nothing_to_order_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one prompt, found 0"):
        PromptOrder(0, seed=0)


def test_each_stage_takes_its_own_prompts_for_its_own_share_of_the_groups() -> None:
    """Prompts 0-3 for two groups, 4-5 for five, which is more than they are, 6-9 from then on."""
    taken = StagedOrder([4, 6, 10], [2, 7, 9], seed=0).take(0, 20)
    assert set(taken[:2]) < {0, 1, 2, 3}
    assert set(taken[2:4]) == set(taken[4:6]) == {4, 5}
    assert taken[6] in (4, 5)
    assert sorted(taken[7:11]) == sorted(taken[11:15]) == [6, 7, 8, 9]


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 7, 8, 15])
def test_stages_go_on_from_any_cursor(cut: int) -> None:
    order = StagedOrder([4, 6, 10], [2, 7, 9], seed=0)
    assert order.take(0, cut) + order.take(cut, 20 - cut) == order.take(0, 20)


def test_a_task_without_stages_is_taken_as_a_whole() -> None:
    order = training_order(ChainSumTask(), 10, seed=3, groups=5)
    assert order.take(0, 30) == PromptOrder(10, seed=3).take(0, 30)


def test_stages_get_prompts_and_groups_by_their_shares() -> None:
    """A quarter and three quarters of 8 prompts and of 12 groups."""
    stages = [{"levels": [0, 0], "share": 1}, {"levels": [1, 1], "share": 3}]
    task = ReasoningGymTask.model_validate(
        {"type": "reasoning_gym", "dataset": "chain_sum", "curriculum": stages}
    )
    taken = training_order(task, 8, seed=0, groups=12).take(0, 13)
    assert set(taken[:3]) == {0, 1}
    assert set(taken[3:9]) == {2, 3, 4, 5, 6, 7}
    assert min(taken[3:]) == 2
