"""The clipped surrogate and how its tokens make one number."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A clipped surrogate, all ``[B, T]``. ``values`` is to be maximized and carries gradient.

    ``ratio`` is detached. ``clipped_low`` and ``clipped_high`` are True where that side of the clip
    is the minimum, so that the token gives no gradient.
    """

    values: Tensor
    ratio: Tensor
    clipped_low: Tensor
    clipped_high: Tensor


def clipped_surrogate(
    log_ratio: Tensor, advantages: Tensor, clip_low: float, clip_high: float
) -> Surrogate:
    """min(rho * A, clip(rho, 1 - clip_low, 1 + clip_high) * A) with rho = exp(log_ratio).

    ``log_ratio`` and ``advantages`` are ``[B, T]``. A ratio that overflows stays visible (an
    infinite value) where it is the minimum and is harmless where the clip or an advantage of 0
    takes it away. NaN is never hidden.

    Source: arXiv 2402.03300 eq. 3, with separate clip bounds as in arXiv 2503.14476 eq. 8.
    """
    ratio = log_ratio.detach().exp()
    low, high = 1 - clip_low, 1 + clip_high
    below = (advantages <= 0) & (ratio < low)
    above = (advantages >= 0) & (ratio > high)
    cut = below | above
    # Cut tokens leave before exp: its gradient there would be 0 * inf where the ratio overflows.
    free = torch.where(cut, 0, log_ratio).exp() * advantages
    bound = ratio.clamp(low, high) * advantages
    pulls = advantages != 0
    return Surrogate(torch.where(cut, bound, free), ratio, below & pulls, above & pulls)


def mean_over_batch(values: Tensor, mask: Tensor, denominator: Tensor | float) -> Tensor:
    """Mean over each sequence's tokens, then their sum divided by ``denominator`` (sequences).

    ``values`` ``[B, T]`` and bool ``mask`` ``[B, T]`` give a scalar of the dtype of ``values``; a
    sequence without tokens adds 0. With one ``denominator``, the sum over micro-batches is the
    value of the whole batch. Source: arXiv 2602.22495 eq. 4, arXiv 2402.03300 eq. 3.
    """
    lengths = mask.sum(dim=1).clamp(min=1)
    per_sequence = torch.where(mask, values, 0).sum(dim=1) / lengths
    return per_sequence.sum() / denominator


def sequences_with_tokens(mask: Tensor) -> Tensor:
    """How many rows of a bool ``[B, T]`` mask have a token, at least 1: a scalar."""
    return mask.any(dim=1).sum().clamp(min=1)
