import math

import numpy as np
import pytest

from rkd_online.evaluation.passk import mean_at_k, pass_at_1


def binomial_quantile(n: int, p: float, level: float) -> int:
    """Smallest k with P(X <= k) >= level, by summing the distribution."""
    total = 0.0
    for k in range(n + 1):
        total += math.comb(n, k) * p**k * (1 - p) ** (n - k)
        if total >= level:
            return k
    return n


def verdicts(right: int, prompts: int, samples: int = 1) -> np.ndarray:
    """``right`` prompts with every sample correct, the others with none."""
    return np.repeat(np.arange(prompts)[:, None] < right, samples, axis=1)


def test_mean_at_k_is_the_share_of_a_prompts_samples() -> None:
    correct = np.array([[True, False, False, False], [True, True, True, False]])
    assert mean_at_k(correct).tolist() == [0.25, 0.75]
    assert pass_at_1(correct).value == 0.5


@pytest.mark.parametrize("right", [26, 102, 230])
def test_the_interval_of_single_samples_is_the_binomials(right: int) -> None:
    # A bootstrap mean of 256 zeros and ones is Binomial(256, right / 256) / 256.
    found = pass_at_1(verdicts(right, 256))
    low, high = (binomial_quantile(256, right / 256, level) for level in (0.025, 0.975))
    assert found.low * 256 == pytest.approx(low, abs=1)
    assert found.high * 256 == pytest.approx(high, abs=1)
    assert found.n == 256


def test_the_interval_is_by_prompt_so_equal_siblings_do_not_narrow_it() -> None:
    assert pass_at_1(verdicts(102, 256, samples=4)) == pass_at_1(verdicts(102, 256))


def test_unequal_siblings_narrow_it() -> None:
    # Half of each prompt's four samples correct: prompts agree, so resampling them changes nothing.
    halves = np.tile([True, True, False, False], (256, 1))
    found = pass_at_1(halves)
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_the_same_verdicts_give_the_same_interval_in_any_order() -> None:
    correct = np.random.default_rng(1).random((64, 4)) < 0.4
    assert pass_at_1(correct) == pass_at_1(correct[::-1])


@pytest.mark.parametrize("shape", [(4,), (0, 4), (4, 0)])
def test_a_table_without_prompts_or_samples_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"needs \[prompts, samples\]"):
        pass_at_1(np.zeros(shape, dtype=bool))
