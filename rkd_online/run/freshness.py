"""How old a batch may be: decided here and nowhere else."""

from collections.abc import Iterable

from rkd_online.errors import TrainingError
from rkd_online.types import ScoredGroup, WeightVersion


def oldest_version(groups: Iterable[ScoredGroup]) -> WeightVersion:
    """The oldest weight version that sampled any token of the groups."""
    return min(
        span.version
        for group in groups
        for scored in group.rollouts
        for span in scored.rollout.version_spans
    )


def staleness(groups: Iterable[ScoredGroup], learner_version: WeightVersion) -> int:
    """Learner's version minus the version of the oldest token; the loop is strictly on-policy.

    Raises TrainingError when rollouts are not of the learner's own version.
    """
    age = learner_version - oldest_version(groups)
    if age != 0:
        raise TrainingError(
            f"rollouts of weight version {learner_version - age} came while the learner is at "
            f"{learner_version}; a synchronous step takes rollouts of its own version only"
        )
    return age
