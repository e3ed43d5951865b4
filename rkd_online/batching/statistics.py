"""What a step's rollouts were like."""

from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import Final

from rkd_online.batching.agreement import teacher_agreement
from rkd_online.types import FailureCause, ScoredGroup, ScoredRollout, UnjudgedRollout

FAILED: Final[dict[FailureCause, str]] = {
    "timeout": "reward/failed_timeout",
    "crash": "reward/failed_crash",
    "memory": "reward/failed_memory",
    "error": "reward/failed_error",
    "not_finite": "reward/failed_not_finite",
}
"""The metric that counts each cause."""


def batch_metrics(groups: Sequence[ScoredGroup], *, correct_at: float) -> dict[str, float]:
    """Rewards and completions of a step, rewards of those alone that could be judged.

    ``reward/no_signal_share`` is the share of groups whose rewards are all equal: they give no
    advantage.
    """
    rollouts = [one.rollout for group in groups for one in group.rollouts]
    judged = [one for group in groups for one in group.judged]
    rewards = [one.reward for one in judged]
    return (
        _failures(groups)
        | _agreement("teacher/agreement", groups, correct_at)
        | {
            "reward/mean": fmean(rewards),
            "reward/std": pstdev(rewards),
            "reward/correct_share": fmean(one.correctness >= correct_at for one in judged),
            "reward/no_signal_share": fmean(group.flat for group in groups),
            "rollout/completion_length": fmean(len(one.completion_ids) for one in rollouts),
            "rollout/truncated_share": fmean(one.finish_reason == "length" for one in rollouts),
        }
    )


def part_metrics(
    groups: Sequence[ScoredGroup], parts: Sequence[str], *, correct_at: float
) -> dict[str, float]:
    """Rewards of a step by part of a mixture, of those parts that it has judged rollouts of, and
    how far the sampler is from the part's teacher, in nats per sampled token, and how often that
    one agrees with the reward."""
    found: dict[str, float] = {}
    for part in parts:
        own = [group for group in groups if group.prompt.task == part]
        judged = [one for group in own for one in group.judged]
        if judged:
            right = fmean(one.correctness >= correct_at for one in judged)
            found[f"reward/mean/{part}"] = fmean(one.reward for one in judged)
            found[f"reward/correct_share/{part}"] = right
            found |= _from_teacher(part, judged)
            found |= _agreement(f"teacher/agreement/{part}", own, correct_at)
    return found


def _from_teacher(part: str, rollouts: Sequence[ScoredRollout]) -> dict[str, float]:
    """The estimate k1 of KL(sampler || teacher): mean over the sequences of their token means."""
    means = [
        (sum(one.rollout.sampler_logprobs) - sum(one.teacher_logprobs)) / len(one.teacher_logprobs)
        for one in rollouts
        if one.teacher_logprobs
    ]
    return {f"sampler/kl_teacher/{part}": fmean(means)} if means else {}


def _agreement(name: str, groups: Sequence[ScoredGroup], correct_at: float) -> dict[str, float]:
    found = teacher_agreement(groups, correct_at)
    return {} if found is None else {name: found}


def _failures(groups: Sequence[ScoredGroup]) -> dict[str, float]:
    """How many rollouts could not be judged, by cause."""
    failed = dict.fromkeys(FAILED.values(), 0.0)
    for group in groups:
        for one in group.rollouts:
            if isinstance(one, UnjudgedRollout):
                failed[FAILED[one.cause]] += 1
    return failed
