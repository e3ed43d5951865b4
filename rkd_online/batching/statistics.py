"""What a step's rollouts were like."""

from collections.abc import Sequence
from statistics import fmean, pstdev

from rkd_online.types import ScoredGroup


def batch_metrics(groups: Sequence[ScoredGroup], *, correct_at: float) -> dict[str, float]:
    """Rewards and completions of a step.

    ``reward/no_signal_share`` is the share of groups whose rewards are all equal: they give no
    advantage.
    """
    scored = [one for group in groups for one in group.rollouts]
    rewards = [one.reward for one in scored]
    flat = [len({one.reward for one in group.rollouts}) == 1 for group in groups]
    return {
        "reward/mean": fmean(rewards),
        "reward/std": pstdev(rewards),
        "reward/correct_share": fmean(one.correctness >= correct_at for one in scored),
        "reward/no_signal_share": fmean(flat),
        "rollout/completion_length": fmean(len(one.rollout.completion_ids) for one in scored),
        "rollout/truncated_share": fmean(one.rollout.finish_reason == "length" for one in scored),
    }
