"""What the rules measure, and what holds a warning back."""

import math
from statistics import variance
from typing import Final

from rkd_online.run.advice.history import Seen
from rkd_online.spec.algorithm import is_reward_driven

SOLVED: Final = 0.9
"""A policy that is this often right may be sure of itself, and has little left to gain."""
MORE_CORRECT: Final = 0.05
"""So many more correct answers than at the start are worth longer ones."""
WORTH_SEEING: Final = 0.1
"""From one window to the next a gain of a tenth of the rewards' own spread is progress."""
FAR: Final = 1.0
"""Nats per token below which no growth of a divergence is an explosion: at one nat the policy finds
its own tokens e times likelier than the teacher does."""
SURE: Final = 2.0
"""Standard errors that chance seldom makes: 19 of 20 such intervals hold the mean."""
CHANCE: Final = 0.5
"""The agreement of a teacher that knows nothing of the reward."""


def level(seen: Seen) -> float:
    """Where the metric is: of a quantity without an upper bound."""
    return seen.now


def average(seen: Seen) -> float:
    """The same of a share, of which a step with few groups knows little."""
    return seen.mean


def growth(seen: Seen) -> float:
    """How many times what it was at the start; from nothing it is far to anything."""
    if seen.start > 0:
        return seen.now / seen.start
    return math.inf if seen.now > 0 else 1.0


def clamped(seen: Seen) -> float:
    """Tokens at either side of the teacher's clamp."""
    return seen.mean + seen.mean_of("policy/clamp_low_share")


def progress(seen: Seen) -> float:
    """How far the metric rose above the window before, in standard errors of the difference."""
    gain, error = _gain(seen)
    if error > 0:
        return gain / error
    return math.inf if gain > 0 else 0.0


def solved(seen: Seen) -> bool:
    """Nearly all answers are correct."""
    return seen.correct >= SOLVED


def taught(seen: Seen) -> bool:
    """The algorithm learns from groups of equal rewards too."""
    return not is_reward_driven(seen.algorithm)


def noisy(seen: Seen) -> bool:
    """The steps differ so much that progress worth seeing may hide in it."""
    gain, error = _gain(seen)
    return gain + SURE * error > WORTH_SEEING * seen.mean_of("reward/std")


def near_chance(seen: Seen) -> bool:
    """The steps differ so much that the teacher may agree with the reward as often as not."""
    return seen.mean + SURE * math.sqrt(variance(seen.values) / seen.window) >= CHANCE


def near(seen: Seen) -> bool:
    """The policy is near, however much nearer it was before."""
    return seen.now < FAR


def more_correct(seen: Seen) -> bool:
    """What the policy does now gives more correct answers."""
    return seen.correct >= seen.correct_at_start + MORE_CORRECT


def _gain(seen: Seen) -> tuple[float, float]:
    """The newest window's mean less that of the one before, and its standard error."""
    error = math.sqrt((variance(seen.values) + variance(seen.values_before)) / seen.window)
    return seen.mean - seen.mean_before, error
