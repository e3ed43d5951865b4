"""Advantages: how much better than its siblings a completion is, and what a row makes of that."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rkd_online.objectives.tokens import SampledTokens
from rkd_online.spec.algorithm import Clipped


def group_advantages(
    rewards: Tensor | Sequence[float], group_size: int, epsilon: float = 1e-6
) -> Tensor:
    """Rewards relative to their group: (reward - mean) / (population std + epsilon).

    ``rewards`` is ``[N]``, group after group; a float dtype is kept, anything else (integers,
    Python lists) becomes torch's default float dtype. Returns ``[N]``, without unit. Equal rewards
    in a group give exactly 0. ``ValueError`` where N is no multiple of ``group_size``.

    Source: arXiv 2402.03300, section 4.1.2 (outcome supervision).
    """
    values = torch.as_tensor(rewards)
    if not values.is_floating_point():
        values = values.to(torch.get_default_dtype())
    groups = _as_groups(values, group_size)
    centred = groups - groups.mean(dim=1, keepdim=True)
    scale = groups.std(dim=1, correction=0, keepdim=True) + epsilon
    # The rounded mean of equal rewards can differ from them, and epsilon would not hide that.
    equal = groups.amax(dim=1, keepdim=True) == groups.amin(dim=1, keepdim=True)
    return torch.where(equal, 0, centred / scale).reshape(values.shape)


def reward_advantage(algorithm: Clipped, tokens: SampledTokens) -> Tensor:
    """The group-relative advantage of the reward, the same at every token: ``[B, T]``."""
    return tokens.advantages


def _as_groups(values: Tensor, group_size: int) -> Tensor:
    if values.dim() != 1:
        raise ValueError(f"rewards has shape {list(values.shape)}, expected one dimension [N]")
    if group_size < 1 or len(values) % group_size:
        raise ValueError(
            f"{len(values)} rewards do not make groups of {group_size}: "
            "give whole groups, one after the other"
        )
    return values.reshape(len(values) // group_size, group_size)
