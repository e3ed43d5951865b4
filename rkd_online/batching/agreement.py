"""Whether the teacher knows what the reward calls correct."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from rkd_online.types import ScoredGroup, ScoredRollout


def teacher_agreement(groups: Sequence[ScoredGroup], correct_at: float) -> float | None:
    """Of all pairs of a correct and an incorrect sibling the share in which the teacher prefers the
    correct one, ties counted half: the area under its ROC curve, 0.5 for a teacher that knows
    nothing. None without a pair.

    It prefers what has the higher mean of log p(teacher) - log p(sampler) over its tokens; the old
    policy's own log-probs, which the losses take, are not known before the update.
    """
    found = [
        1.0 if right > wrong else 0.5 if right == wrong else 0.0
        for group in groups
        for right in _preferences(group.judged, correct_at, correct=True)
        for wrong in _preferences(group.judged, correct_at, correct=False)
    ]
    return fmean(found) if found else None


def _preferences(
    rollouts: Iterable[ScoredRollout], correct_at: float, *, correct: bool
) -> list[float]:
    return [
        (sum(one.teacher_logprobs) - sum(one.rollout.sampler_logprobs)) / len(one.teacher_logprobs)
        for one in rollouts
        if one.teacher_logprobs and (one.correctness >= correct_at) is correct
    ]
