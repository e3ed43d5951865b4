"""How old a batch may be: decided here and nowhere else."""

from collections.abc import Sequence

from rkd_online.batching.assemble import oldest_version
from rkd_online.errors import TrainingError
from rkd_online.types import ScoredGroup, WeightVersion


def staleness(groups: Sequence[ScoredGroup], learner_version: WeightVersion) -> int:
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
