"""Advantages from the reward: how much better than its siblings a completion is."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rkd_online.objectives.outcomes import Outcomes
from rkd_online.objectives.tokens import SampledTokens
from rkd_online.spec.algorithm import Averaged, Sft


def group_advantages(
    rewards: Tensor | Sequence[float],
    group_size: int,
    epsilon: float = 1e-6,
    *,
    scaled: bool = True,
) -> Tensor:
    """Rewards relative to their group: (reward - mean) / (population std + epsilon), or the
    distance from the mean alone where they are not ``scaled``.

    ``rewards`` is ``[N]``, group after group; a float dtype is kept, anything else (integers,
    Python lists) becomes torch's default float dtype. Returns ``[N]``, without unit where scaled.
    Equal rewards in a group give exactly 0. ``ValueError`` where N is no multiple of
    ``group_size``.

    Sources: arXiv 2402.03300, section 4.1.2 (outcome supervision); arXiv 2503.20783, section 3.2
    (not scaled).
    """
    values = torch.as_tensor(rewards)
    if not values.is_floating_point():
        values = values.to(torch.get_default_dtype())
    groups = _as_groups(values, group_size)
    centred = groups - groups.mean(dim=1, keepdim=True)
    scale = groups.std(dim=1, correction=0, keepdim=True) + epsilon if scaled else 1
    # The rounded mean of equal rewards can differ from them, and epsilon would not hide that.
    equal = groups.amax(dim=1, keepdim=True) == groups.amin(dim=1, keepdim=True)
    return torch.where(equal, 0, centred / scale).reshape(values.shape)


def reward_advantage(algorithm: Averaged, tokens: SampledTokens, outcomes: Outcomes) -> Tensor:
    """The group-relative advantage of the reward, the same at every token: ``[B, T]``."""
    return tokens.advantages


def acceptance(algorithm: Sft, tokens: SampledTokens, outcomes: Outcomes) -> Tensor:
    """1 at every token of a sample that the verifier accepts, 0 elsewhere: ``[B, T]``."""
    return (outcomes.correct & tokens.mask).to(tokens.policy.dtype)


def _as_groups(values: Tensor, group_size: int) -> Tensor:
    if values.dim() != 1:
        raise ValueError(f"rewards has shape {list(values.shape)}, expected one dimension [N]")
    if group_size < 1 or len(values) % group_size:
        raise ValueError(
            f"{len(values)} rewards do not make groups of {group_size}: "
            "give whole groups, one after the other"
        )
    return values.reshape(len(values) // group_size, group_size)
