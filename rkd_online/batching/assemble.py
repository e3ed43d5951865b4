"""From scored groups to one training batch."""

from collections.abc import Sequence

import torch

from rkd_online.objectives import group_advantages
from rkd_online.spec.algorithm import Algorithm
from rkd_online.types import (
    ScoredGroup,
    ScoredRollout,
    TrainingBatch,
    TrainingRow,
    WeightVersion,
)


def assemble(
    groups: Sequence[ScoredGroup],
    *,
    step: int,
    temperature: float,
    algorithm: Algorithm,
    correct_at: float,
) -> TrainingBatch:
    """All rollouts in the order of their group ids, whatever order the groups came in.

    What depends on a whole group is made here, so that the batch can be split anywhere later.
    """
    ordered = sorted(groups, key=lambda group: group.group_id)
    rows = [
        row for group in ordered for row in _rows(group, algorithm.advantage_epsilon, correct_at)
    ]
    return TrainingBatch(step, tuple(rows), temperature, oldest_version(ordered))


def oldest_version(groups: Sequence[ScoredGroup]) -> WeightVersion:
    """The oldest weight version that sampled any token of the groups."""
    return min(
        span.version
        for group in groups
        for scored in group.rollouts
        for span in scored.rollout.version_spans
    )


def _rows(group: ScoredGroup, epsilon: float, correct_at: float) -> list[TrainingRow]:
    rewards = torch.tensor([scored.reward for scored in group.rollouts], dtype=torch.float64)
    advantages = group_advantages(rewards, len(group.rollouts), epsilon).tolist()
    return [
        _row(group, scored, advantage, correct_at)
        for scored, advantage in zip(group.rollouts, advantages, strict=True)
    ]


def _row(
    group: ScoredGroup, scored: ScoredRollout, advantage: float, correct_at: float
) -> TrainingRow:
    return TrainingRow(
        group_id=group.group_id,
        prompt_ids=group.prompt.token_ids,
        completion_ids=scored.rollout.completion_ids,
        sampler_logprobs=scored.rollout.sampler_logprobs,
        teacher_logprobs=scored.teacher_logprobs,
        advantage=advantage,
        correct=scored.correctness >= correct_at,
    )
