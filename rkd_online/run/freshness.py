"""How old a rollout may be: decided here and nowhere else.

The staleness of a rollout is the learner's version minus the version of its oldest token.
"""

from collections.abc import Iterable, Sequence

from rkd_online.types import Rollout, ScoredGroup, VersionSpan, WeightVersion


def admitted_steps(version: WeightVersion, max_staleness: int, steps: int) -> int:
    """How many steps' groups may be asked for while the generators sample with ``version``.

    A group that starts now has ``version`` for its oldest token, and the groups of step s are
    learned from at version s - 1: those of the steps up to version + max_staleness + 1 are then
    fresh enough. No job has more than ``steps``.
    """
    return min(version + max_staleness + 1, steps)


def staleness(rollouts: Iterable[Rollout], learner: WeightVersion) -> int:
    """Versions that the oldest token of the rollouts lies behind the learner's."""
    return learner - min(span.version for span in _spans(rollouts))


def mean_staleness(groups: Sequence[ScoredGroup], learner: WeightVersion) -> float:
    """Versions that a token lies behind the learner's, mean over all completion tokens."""
    spans = _spans(scored.rollout for group in groups for scored in group.rollouts)
    tokens = sum(span.end - span.start for span in spans)
    return sum((learner - span.version) * (span.end - span.start) for span in spans) / tokens


def _spans(rollouts: Iterable[Rollout]) -> list[VersionSpan]:
    return [span for rollout in rollouts for span in rollout.version_spans]
