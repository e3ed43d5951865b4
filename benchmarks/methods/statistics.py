"""Means over seeds and prompts, with intervals that know of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.outcome import Examined

RESAMPLES: Final = 10_000
RANDOM_SEED: Final = 20_260_222


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """As it stands in tables."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"

    @property
    def signed(self) -> str:
        """A difference, as it stands in tables."""
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


def shares(tests: Sequence[Examined]) -> NDArray[np.float64]:
    """[seeds, prompts]: correct answers of a prompt, as a share of its samples."""
    return np.array([one.correct for one in tests]) / tests[0].samples


def interval(values: NDArray[np.float64]) -> Interval:
    """The mean of ``values`` [seeds, prompts]: a percentile bootstrap that draws seeds and prompts
    again, each with replacement and apart from the other, since all seeds answer the same prompts.

    With three seeds what lies between them is known badly, and the interval is rather too narrow
    than too wide: the seeds' own values belong beside it.
    """
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"values have shape {values.shape}, need [seeds, prompts]")
    generator = np.random.default_rng(RANDOM_SEED)
    drawn = [generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n for n in values.shape]
    seeds, prompts = drawn
    means = ((seeds @ values) * prompts).sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(values.mean()), float(low), float(high))


def difference(first: Sequence[Examined], second: Sequence[Examined]) -> Interval:
    """The second less the first, paired by seed and prompt."""
    return interval(shares(second) - shares(first))
