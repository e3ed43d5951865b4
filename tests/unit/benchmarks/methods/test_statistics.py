"""Intervals over seeds and prompts."""

import math

import numpy as np
import pytest

from benchmarks.methods.statistics import difference, interval, shares
from tests.unit.benchmarks.methods.records import examined

NORMAL = 1.959964


def test_shares_are_by_seed_and_prompt() -> None:
    found = shares([examined([0, 2, 4]), examined([1, 1, 3])])
    assert found.tolist() == [[0, 0.5, 1], [0.25, 0.25, 0.75]]


def test_where_all_agree_the_interval_has_no_width() -> None:
    found = interval(np.full((3, 50), 0.75))
    assert [found.value, found.low, found.high] == pytest.approx([0.75] * 3, abs=1e-12)


def test_of_one_seed_the_width_is_that_of_the_prompts() -> None:
    """400 prompts of which a quarter are right: 1.96 standard errors of a proportion."""
    values = np.array([[1.0] * 100 + [0.0] * 300])
    half = NORMAL * math.sqrt(0.25 * 0.75 / 400)
    found = interval(values)
    assert found.value == 0.25
    assert found.low == pytest.approx(0.25 - half, abs=0.004)
    assert found.high == pytest.approx(0.25 + half, abs=0.004)


def test_seeds_that_differ_widen_it_although_their_prompts_agree() -> None:
    """Four seeds at 0.2 and four at 0.8, no matter which prompt: the standard error of a mean of 8
    draws whose variance is 0.09."""
    values = np.repeat([[0.2], [0.8]] * 4, 100, axis=1)
    half = NORMAL * math.sqrt(0.09 / 8)
    found = interval(values)
    assert found.value == pytest.approx(0.5)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.12)


def test_a_difference_is_paired_so_that_hard_prompts_drop_out() -> None:
    """The second is better by one of four answers at every prompt, however hard."""
    first = [examined([0, 3, 1, 2] * 10), examined([1, 2, 0, 3] * 10)]
    second = [examined([1, 4, 2, 3] * 10), examined([2, 3, 1, 4] * 10)]
    found = difference(first, second)
    assert [found.value, found.low, found.high] == pytest.approx([0.25] * 3, abs=1e-12)
    assert found.signed == "+0.250 (+0.250 to +0.250)"


def test_one_axis_is_not_enough() -> None:
    with pytest.raises(ValueError, match=r"shape \(5,\), need \[seeds, prompts\]"):
        interval(np.zeros(5))
