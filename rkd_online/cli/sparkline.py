"""A series in one line."""

from collections.abc import Sequence
from itertools import pairwise

BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Bars from the least to the largest value; what does not fit is shown as means."""
    shown = _means(values, width)
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    if low == high:
        return BARS[0] * len(shown)
    most = len(BARS) - 1
    return "".join(BARS[round((value - low) / (high - low) * most)] for value in shown)


def _means(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    ends = [round(place * len(values) / width) for place in range(width + 1)]
    parts = [values[start:end] for start, end in pairwise(ends)]
    return [sum(part) / len(part) for part in parts]
