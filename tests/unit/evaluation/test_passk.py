"""pass@k and distinct solutions, against all ways to draw k of n answers."""

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest

from rkd_online.evaluation.passk import distinct_at_k, pass_at_k, reported_ks


def by_all_draws(correct: int, samples: int, k: int) -> Fraction:
    """Share of all draws of k answers in which one of the first ``correct`` is."""
    draws = list(combinations(range(samples), k))
    return Fraction(sum(min(draw) < correct for draw in draws), len(draws))


@pytest.mark.parametrize("samples", [1, 2, 5, 8])
def test_pass_at_k_is_the_share_of_draws_that_hold_a_correct_answer(samples: int) -> None:
    for k in range(1, samples + 1):
        expected = [float(by_all_draws(right, samples, k)) for right in range(samples + 1)]
        assert pass_at_k(np.arange(samples + 1), samples, k).tolist() == expected


def test_pass_at_k_by_hand() -> None:
    # 1 - C(2,2) / C(4,2) = 1 - 1/6; 1 - C(29,8) / C(32,8) = 1 - (24 x 23 x 22) / (32 x 31 x 30).
    assert pass_at_k(np.array([2]), 4, 2).tolist() == [5 / 6]
    assert pass_at_k(np.array([3]), 32, 8).tolist() == [17616 / 29760]


def test_pass_at_1_is_the_mean_over_all_samples() -> None:
    assert pass_at_k(np.array([0, 1, 3, 4]), 4, 1).tolist() == [0.0, 0.25, 0.75, 1.0]


@pytest.mark.parametrize("k", [1, 2, 4, 8])
def test_pass_at_k_has_no_bias(k: int) -> None:
    # Of 8 answers, each right with chance p, a binomial number is right; the mean over it is the
    # true chance that one of k is right.
    p, samples = Fraction(3, 10), 8
    chances = [
        comb(samples, right) * p**right * (1 - p) ** (samples - right)
        for right in range(samples + 1)
    ]
    values = pass_at_k(np.arange(samples + 1), samples, k)
    mean = sum(float(chance) * value for chance, value in zip(chances, values, strict=True))
    assert mean == pytest.approx(float(1 - (1 - p) ** k), abs=1e-15)


@pytest.mark.parametrize("k", range(1, 7))
def test_distinct_solutions_are_those_of_the_mean_draw(k: int) -> None:
    answers = ["a", "a", "a", "b", "c", None]  # None is a wrong one
    draws = list(combinations(answers, k))
    found = [len(set(draw) - {None}) for draw in draws]
    expected = float(Fraction(sum(found), len(draws)))
    assert distinct_at_k([(3, 1, 1)], 6, k).tolist() == [pytest.approx(expected, abs=1e-15)]


def test_distinct_solutions_at_both_ends() -> None:
    solutions = [(), (4,), (2, 2), (1, 1, 1, 1)]
    # One answer is a solution as often as it is right; all answers hold all solutions.
    assert distinct_at_k(solutions, 4, 1).tolist() == [0.0, 1.0, 1.0, 1.0]
    assert distinct_at_k(solutions, 4, 4).tolist() == [0.0, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("samples", "ks"),
    [(1, (1,)), (3, (1, 2)), (8, (1, 2, 4, 8)), (64, (1, 2, 4, 8, 16, 32))],
)
def test_k_is_at_most_the_number_of_samples(samples: int, ks: tuple[int, ...]) -> None:
    assert reported_ks(samples) == ks


@pytest.mark.parametrize("k", [0, 5])
def test_a_k_that_the_samples_do_not_allow_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k is {k}, needs 1 to 4"):
        pass_at_k(np.array([1]), 4, k)


@pytest.mark.parametrize("shape", [(0,), (2, 4)])
def test_counts_are_one_per_prompt(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"needs \[prompts\]"):
        pass_at_k(np.zeros(shape, dtype=np.int64), 4, 1)
