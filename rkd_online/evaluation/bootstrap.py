"""Means over prompts with intervals."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rkd_online.evaluation.measurement import Estimate

RESAMPLES: Final = 10_000
SEED: Final = 20_260_222
"""Fixed, so that the same values always give the same interval."""
COUNTS_AT_ONCE: Final = 1 << 20
"""Counts of resampled values in memory at once."""


def estimate(values: NDArray[np.float64]) -> Estimate:
    """The mean of ``values`` [prompts] with a 95 % percentile bootstrap by prompt.

    Prompts are resampled, not samples: siblings share their prompt's difficulty, so counting them
    as independent would make the interval too narrow. Where all prompts agree its width is 0. The
    interval of a paired difference is that of the differences by prompt, which leaves the prompts'
    own difficulty out (arXiv 2411.00640, section 4).
    """
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"values have shape {values.shape}, need [prompts]")
    distinct, counts = np.unique(values, return_counts=True)
    low, high = np.quantile(_resampled_means(distinct, counts), (0.025, 0.975))
    value, n = counts @ distinct / len(values), len(values)
    return Estimate(value=float(value), low=float(low), high=float(high), n=n)


def _resampled_means(
    distinct: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Means of ``RESAMPLES`` draws of all prompts with replacement. ``counts`` [values] says how
    many prompts have each of the ``distinct`` [values].

    A draw's mean depends only on how often it holds each distinct value, and those counts are
    multinomial: the exact bootstrap, cheap where prompts share few values.
    """
    prompts, generator = int(counts.sum()), np.random.default_rng(SEED)
    totals = [
        generator.multinomial(prompts, counts / prompts, size=draws) @ distinct
        for draws in _portions(len(distinct))
    ]
    means: NDArray[np.float64] = np.concatenate(totals) / prompts
    return means


def _portions(distinct: int) -> Iterator[int]:
    """How many draws to make at once, until all are made."""
    most = max(1, COUNTS_AT_ONCE // distinct)
    for made in range(0, RESAMPLES, most):
        yield min(most, RESAMPLES - made)
