"""What k answers are worth, without bias, from n answers to each prompt, n at least k."""

from collections.abc import Sequence
from fractions import Fraction
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

KS: Final = (1, 2, 4, 8, 16, 32)
"""The k that are reported, where there are as many samples."""


def reported_ks(samples: int) -> tuple[int, ...]:
    """Those of ``KS`` that ``samples`` answers to each prompt allow."""
    return tuple(k for k in KS if k <= samples)


def pass_at_k(correct: NDArray[np.int64], samples: int, k: int) -> NDArray[np.float64]:
    """Chance of each prompt that one of k answers is correct; for k = 1 the correct share.

    ``correct`` [prompts] counts the correct ones of ``samples`` answers. 1 - C(n-c, k) / C(n, k) is
    unbiased (arXiv 2107.03374, eq. 1), which 1 - (1 - c/n)^k is not.
    """
    if correct.ndim != 1 or len(correct) == 0:
        raise ValueError(f"correct has shape {correct.shape}, needs [prompts]")
    return _met(samples, k)[correct]


def distinct_at_k(solutions: Sequence[Sequence[int]], samples: int, k: int) -> NDArray[np.float64]:
    """Different correct solutions of each prompt that k answers are expected to hold.

    ``solutions`` [prompts] lists how often each different one came among ``samples`` answers. Each
    is met with its own pass@k, and expectations add up: ecology's rarefaction (Hurlbert
    1971, doi 10.2307/1934145). More samples make it more exact, not larger.
    """
    met = _met(samples, k)
    return np.array([met[list(counts)].sum() for counts in solutions], dtype=np.float64)


def _met(samples: int, k: int) -> NDArray[np.float64]:
    """[samples + 1]: chance that k of ``samples`` answers hold at least one of c marked ones, for
    c = 0 to ``samples``."""
    if not 1 <= k <= samples:
        raise ValueError(f"k is {k}, needs 1 to {samples}, the number of samples")
    ways = comb(samples, k)
    missed = [Fraction(comb(samples - marked, k), ways) for marked in range(samples + 1)]
    return np.array([float(1 - share) for share in missed])
