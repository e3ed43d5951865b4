"""Parts of a reward by hand."""

from typing import Any

import pytest

from rkd_online.spec.task import FormatReward, LengthReward
from rkd_online.tasks.parts import overlong_penalty, shaped_length, written_in_tags

WHOLE = "<think>2 and 2</think>\n<answer>4</answer>"


def form(**fields: Any) -> FormatReward:
    return FormatReward.model_validate({"type": "format", **fields})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (WHOLE, 1.0),
        (f"\n {WHOLE} \n", 1.0),
        ("<think>\nline\nline\n</think><answer>4</answer>", 1.0),
        ("<think></think><answer></answer>", 1.0),
        ("<think>1 < 2 and </b></think><answer>4</answer>", 1.0),
        ("<think>2 and 2</think><answer>4", 0.0),
        ("2 and 2</think><answer>4</answer>", 0.0),
        ("<answer>4</answer><think>2 and 2</think>", 0.0),
        (f"{WHOLE}<answer>4</answer>", 0.0),
        ("<think><think>2 and 2</think><answer>4</answer>", 0.0),
        ("<think>2 <answer>and</think> 2</answer>", 0.0),
        (f"So: {WHOLE}", 0.0),
        (f"{WHOLE} done", 0.0),
        ("<think>2 and 2</think> so <answer>4</answer>", 0.0),
        ("<Think>2 and 2</Think><answer>4</answer>", 0.0),
        ("", 0.0),
    ],
)
def test_each_tag_comes_once_in_order_with_nothing_outside(text: str, value: float) -> None:
    assert written_in_tags(text, form()) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<think>2 and 2</think>It is 4.", 1.0),
        ("<think>2 and 2</think>", 1.0),
        (WHOLE, 1.0),
        ("It is <think>2 and 2</think> 4.", 0.0),
        ("<think>2 and 2", 0.0),
        ("<think>2</think>4<think>again</think>", 0.0),
    ],
)
def test_the_answer_behind_the_thoughts_may_be_any_text(text: str, value: float) -> None:
    assert written_in_tags(text, form(tags="think")) == value


def test_a_prompt_that_opens_the_tag_begins_the_completion() -> None:
    rest = WHOLE.removeprefix("<think>")
    assert written_in_tags(rest, form(opened=True)) == 1.0
    assert written_in_tags(WHOLE, form(opened=True)) == 0.0
    assert written_in_tags(rest, form()) == 0.0


@pytest.mark.parametrize(
    ("tokens", "correct", "value"),
    [
        (0, True, 2.0),
        (25, True, 1 + (1 + 0.5**0.5) / 2),
        (50, True, 1.5),
        (100, True, 1.0),
        (0, False, -10.0),
        (50, False, -5.0),
        (75, False, -10 * (1 - 0.5**0.5) / 2),
        (100, False, 0.0),
    ],
)
def test_length_goes_along_half_a_cosine(tokens: int, correct: bool, value: float) -> None:
    """With the values of arXiv 2502.03373; cos(pi / 4) is the root of a half."""
    shape = LengthReward(
        type="length", correct_short=2.0, correct_long=1.0, wrong_short=-10.0, wrong_long=0.0
    )
    assert shaped_length(tokens, 100, correct=correct, shape=shape) == pytest.approx(value)


def test_without_more_only_correct_completions_are_shaped() -> None:
    shape = LengthReward(type="length")
    found = [shaped_length(n, 10, correct=True, shape=shape) for n in (0, 5, 10)]
    assert found == pytest.approx([1.0, 0.5, 0.0])
    assert [shaped_length(n, 10, correct=False, shape=shape) for n in (0, 5, 10)] == [0.0] * 3


@pytest.mark.parametrize(
    ("tokens", "value"),
    [(1, 0.0), (16_383, 0.0), (16_384, 0.0), (17_408, -0.25), (18_432, -0.5), (20_480, -1.0)],
)
def test_the_overlong_penalty_is_that_of_dapo_at_its_own_numbers(tokens: int, value: float) -> None:
    """L_max 20480 with L_cache 4096, arXiv 2503.14476, section 3.4."""
    assert overlong_penalty(tokens, 20_480, 4_096) == value


def test_the_penalty_can_cover_every_length() -> None:
    assert [overlong_penalty(tokens, 4, 4) for tokens in (1, 2, 4)] == [-0.25, -0.5, -1.0]
