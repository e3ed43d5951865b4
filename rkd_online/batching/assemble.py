"""From scored groups to one training batch."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import torch

from rkd_online.errors import TaskError
from rkd_online.objectives import group_advantages
from rkd_online.spec.algorithm import Algorithm, Rewarded
from rkd_online.types import (
    CandidateRollout,
    CandidateRow,
    ScoredGroup,
    ScoredRollout,
    TrainingBatch,
    TrainingRow,
    Turn,
    UnjudgedRollout,
    WeightVersion,
)


def assemble(
    groups: Sequence[ScoredGroup],
    *,
    step: int,
    temperature: float,
    algorithm: Algorithm,
    turn: Turn,
    correct_at: float,
    truncated: Literal["learn", "mask"],
) -> TrainingBatch:
    """All rollouts that have a reward, in the order of their group ids, whatever order the groups
    came in. Of those that were cut at the token limit, where they are to be masked, nothing is
    learned: they have no row, but a part in their group's statistics.

    What depends on a whole group is made here, so that the batch can be split anywhere later.
    Either all rows have teacher log-probs or none: those of a part would give no mean of the batch.
    Raises TaskError where not one rollout could be judged.
    """
    ordered = sorted(groups, key=lambda group: group.group_id)
    _check_judged(ordered, step)
    rows = [row for group in ordered for row in _rows(group, algorithm, correct_at)]
    if truncated == "mask":
        cut = {
            (group.group_id, one.rollout.index)
            for group in groups
            for one in group.judged
            if one.rollout.finish_reason == "length"
        }
        rows = [row for row in rows if (row.group_id, row.index) not in cut]
    if any(row.teacher_logprobs is None for row in rows):
        rows = [replace(row, teacher_logprobs=None) for row in rows]
    return TrainingBatch(step, tuple(rows), temperature, oldest_version(ordered), turn)


def _check_judged(groups: Sequence[ScoredGroup], step: int) -> None:
    failed = [one for group in groups for one in group.rollouts if isinstance(one, UnjudgedRollout)]
    if failed and not any(group.judged for group in groups):
        raise TaskError(
            f"step {step}: none of its {len(failed)} rollouts could be judged; the first failed by "
            f"{failed[0].cause}: {failed[0].detail}"
        )


def oldest_version(groups: Sequence[ScoredGroup]) -> WeightVersion:
    """The oldest weight version that sampled any token of the groups."""
    return min(
        span.version
        for group in groups
        for scored in group.rollouts
        for span in scored.rollout.version_spans
    )


def _rows(group: ScoredGroup, algorithm: Algorithm, correct_at: float) -> list[TrainingRow]:
    """Those of the siblings that have a reward; the others are no part of their group."""
    if not group.judged:
        return []
    correct = [scored.correctness >= correct_at for scored in group.judged]
    rows = zip(group.judged, _advantages(group, algorithm), correct, strict=True)
    return [
        _row(group, scored, advantage, accepted, group_wrong=not any(correct))
        for scored, advantage, accepted in rows
    ]


def _advantages(group: ScoredGroup, algorithm: Algorithm) -> list[float]:
    """Those of the reward; a method without reward has them for the record alone."""
    rewards = torch.tensor([scored.reward for scored in group.judged], dtype=torch.float64)
    size = len(rewards)
    if not isinstance(algorithm, Rewarded):
        return group_advantages(rewards, size).tolist()
    scaled = algorithm.advantage_scale == "std"
    return group_advantages(rewards, size, algorithm.advantage_epsilon, scaled=scaled).tolist()


def _row(
    group: ScoredGroup,
    scored: ScoredRollout,
    advantage: float,
    correct: bool,
    *,
    group_wrong: bool,
) -> TrainingRow:
    make: Callable[..., TrainingRow] = TrainingRow
    if isinstance(scored, CandidateRollout):
        make = partial(CandidateRow, candidates=scored.candidates)
    return make(
        group_id=group.group_id,
        index=scored.rollout.index,
        prompt_ids=group.prompt.token_ids,
        completion_ids=scored.rollout.completion_ids,
        sampler_logprobs=scored.rollout.sampler_logprobs,
        teacher_logprobs=scored.teacher_logprobs,
        advantage=advantage,
        correct=correct,
        group_wrong=group_wrong,
    )
