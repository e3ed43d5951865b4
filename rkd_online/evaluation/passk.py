"""pass@1 and its interval from a table of verdicts."""

import numpy as np
from numpy.typing import NDArray

from rkd_online.evaluation.measurement import PassAt1

RESAMPLES = 10_000
SEED = 20_260_222
"""Fixed, so that the same verdicts always give the same interval."""


def mean_at_k(correct: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of correct samples of each prompt: ``correct`` [prompts, samples] -> [prompts]."""
    if correct.ndim != 2 or 0 in correct.shape:
        raise ValueError(f"correct has shape {correct.shape}, needs [prompts, samples]")
    shares: NDArray[np.float64] = correct.mean(axis=1, dtype=np.float64)
    return shares


def pass_at_1(correct: NDArray[np.bool_]) -> PassAt1:
    """pass@1 over ``correct`` [prompts, samples] with a 95 % percentile bootstrap by prompt.

    Prompts are resampled, not samples: siblings share their prompt's difficulty, so counting them
    as independent would make the interval too narrow. When all prompts agree its width is 0.
    """
    means = mean_at_k(correct)
    low, high = np.quantile(_resampled_means(means), (0.025, 0.975))
    return PassAt1(value=float(means.mean()), low=float(low), high=float(high), n=len(means))


def _resampled_means(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of ``RESAMPLES`` draws of all prompts with replacement.

    A draw's mean depends only on how often it holds each distinct value, and those counts are
    multinomial: the exact bootstrap in memory that does not grow with the number of prompts.
    """
    values, counts = np.unique(means, return_counts=True)
    drawn = np.random.default_rng(SEED).multinomial(len(means), counts / len(means), size=RESAMPLES)
    totals: NDArray[np.float64] = drawn @ values
    return totals / len(means)
