"""What a token is worth to the policy, from its log importance ratio and its advantage."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rkd_online.objectives.tokens import SampledTokens
from rkd_online.spec.algorithm import Cispo, Clipped, Sft


@dataclass(frozen=True, slots=True)
class Surrogate:
    """All ``[B, T]``. ``values`` is to be maximized and carries gradient.

    ``ratio`` is detached. ``clipped_low`` and ``clipped_high`` are True where that side of the clip
    binds.
    """

    values: Tensor
    ratio: Tensor
    clipped_low: Tensor
    clipped_high: Tensor


def clipped_surrogate(
    algorithm: Clipped, tokens: SampledTokens, log_ratio: Tensor, advantages: Tensor
) -> Surrogate:
    """min(rho * A, clip(rho, 1 - clip_low, 1 + clip_high) * A) with rho = exp(log_ratio).

    Where the clip binds, the token gives no gradient. A ratio that overflows stays visible (an
    infinite value) where it is the minimum and is harmless where the clip or an advantage of 0
    takes it away. NaN is never hidden.

    Source: arXiv 2402.03300 eq. 3, with separate clip bounds as in arXiv 2503.14476 eq. 8.
    """
    ratio = log_ratio.detach().exp()
    low, high = 1 - algorithm.clip_low, 1 + algorithm.clip_high
    below = (advantages <= 0) & (ratio < low)
    above = (advantages >= 0) & (ratio > high)
    cut = below | above
    # Cut tokens leave before exp: its gradient there would be 0 * inf where the ratio overflows.
    free = torch.where(cut, 0, log_ratio).exp() * advantages
    bound = ratio.clamp(low, high) * advantages
    pulls = advantages != 0
    return Surrogate(torch.where(cut, bound, free), ratio, below & pulls, above & pulls)


def clipped_weight(
    algorithm: Cispo, tokens: SampledTokens, log_ratio: Tensor, advantages: Tensor
) -> Surrogate:
    """sg(clip(rho, 1 - clip_low, 1 + clip_high)) * A * lp: where the clip binds, on either side and
    for either sign of A, the token weighs the bound and keeps its gradient.

    Source: arXiv 2506.13585 eq. 4-5.
    """
    ratio = log_ratio.detach().exp()
    low, high = 1 - algorithm.clip_low, 1 + algorithm.clip_high
    pulls = advantages != 0
    return Surrogate(
        ratio.clamp(low, high) * advantages * tokens.policy,
        ratio,
        (ratio < low) & pulls,
        (ratio > high) & pulls,
    )


def likelihood(
    algorithm: Sft, tokens: SampledTokens, log_ratio: Tensor, advantages: Tensor
) -> Surrogate:
    """A * lp, whatever the ratio: cross entropy where A is 1."""
    never = torch.zeros_like(tokens.mask)
    return Surrogate(advantages * tokens.policy, log_ratio.detach().exp(), never, never)
