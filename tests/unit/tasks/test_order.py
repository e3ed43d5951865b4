"""The order of training prompts is a function of size, seed and cursor alone."""

import subprocess
import sys

import pytest

from rkd_online.tasks.order import PromptOrder


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
