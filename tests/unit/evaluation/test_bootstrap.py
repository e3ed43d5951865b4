"""Intervals by prompt, against the binomial and against plain resampling."""

import math

import numpy as np
import pytest

from rkd_online.evaluation import bootstrap
from rkd_online.evaluation.bootstrap import estimate


def binomial_quantile(n: int, p: float, level: float) -> int:
    """Smallest k with P(X <= k) >= level, by summing the distribution."""
    total = 0.0
    for k in range(n + 1):
        total += math.comb(n, k) * p**k * (1 - p) ** (n - k)
        if total >= level:
            return k
    return n


@pytest.mark.parametrize("right", [26, 102, 230])
def test_the_interval_of_single_samples_is_the_binomials(right: int) -> None:
    # A bootstrap mean of 256 zeros and ones is Binomial(256, right / 256) / 256.
    found = estimate((np.arange(256) < right).astype(float))
    low, high = (binomial_quantile(256, right / 256, level) for level in (0.025, 0.975))
    assert found.value == right / 256
    assert found.low * 256 == pytest.approx(low, abs=1)
    assert found.high * 256 == pytest.approx(high, abs=1)
    assert found.n == 256


def test_prompts_that_agree_have_an_interval_without_width() -> None:
    # 0.1 is no binary fraction: value and ends must not differ by how they were added up.
    found = estimate(np.full(256, 0.1))
    assert (found.low, found.high) == (found.value, found.value)
    assert found.value == pytest.approx(0.1)


def test_a_paired_difference_has_the_interval_of_plain_resampling() -> None:
    random = np.random.default_rng(5)
    skill = random.random(200)
    before = random.binomial(8, skill) / 8
    after = random.binomial(8, np.minimum(1, skill + 0.1)) / 8
    found = estimate(after - before)
    draws = random.integers(0, 200, size=(20_000, 200))
    means = after[draws].mean(axis=1) - before[draws].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    # Both ends of 10,000 draws are off by about 1 % of the width.
    assert found.value == pytest.approx(after.mean() - before.mean(), abs=1e-12)
    assert found.low == pytest.approx(low, abs=0.04 * (high - low))
    assert found.high == pytest.approx(high, abs=0.04 * (high - low))


def test_pairing_leaves_the_prompts_own_difficulty_out() -> None:
    hard = np.repeat([0.0, 0.875], 100)
    alone, paired = estimate(hard), estimate(hard + 0.125 - hard)
    assert alone.high - alone.low > 0.1
    assert (paired.low, paired.value, paired.high) == (0.125, 0.125, 0.125)


def test_the_same_values_give_the_same_interval_in_any_order() -> None:
    values = np.random.default_rng(1).binomial(4, 0.4, 64) / 4
    assert estimate(values) == estimate(values[::-1])


def test_the_interval_does_not_depend_on_how_many_draws_are_made_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(2).random(50)
    whole = estimate(values)
    monkeypatch.setattr(bootstrap, "COUNTS_AT_ONCE", 50 * 3)
    parts = estimate(values)
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


@pytest.mark.parametrize("shape", [(0,), (4, 2)])
def test_values_are_one_per_prompt(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"need \[prompts\]"):
        estimate(np.zeros(shape))
