"""Importance weights of tokens that another policy sampled than the old one.

The surrogate takes its tokens for samples of the old policy. They come from the sampler: another
engine, and weights that may be some versions older.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from rkd_online.objectives.tokens import constant, expect_shape
from rkd_online.spec.algorithm import MaskedWeights, NoWeights, SamplerCorrection


class ImportanceWeights(NamedTuple):
    """``weights`` float [B, T] and ``capped`` bool [B, T]: where a weight is not the plain ratio.
    Both are 0 where padded."""

    weights: Tensor
    capped: Tensor


@torch.no_grad()
def importance_weights(
    old_logprobs: Tensor, sampler_logprobs: Tensor, mask: Tensor, correction: SamplerCorrection
) -> ImportanceWeights:
    """pi(old) / pi(sampler) of every token, corrected as the job says.

    Log-probs (nats) and ``mask`` (0 or 1 in any dtype) are [B, T]. Truncation is that of arXiv
    1802.01561 eq. 1, by token; the masked variant leaves a token out whose ratio is outside the
    bounds (IcePop, arXiv 2510.18855). ``ValueError`` for a wrong shape.
    """
    expect_shape("sampler_logprobs", sampler_logprobs, tuple(old_logprobs.shape))
    expect_shape("mask", mask, tuple(old_logprobs.shape))
    real = mask.bool()
    sampler = constant(sampler_logprobs, real, old_logprobs.dtype)
    ratio = (constant(old_logprobs, real, old_logprobs.dtype) - sampler).exp()
    if isinstance(correction, NoWeights):
        return ImportanceWeights(real.to(ratio.dtype), torch.zeros_like(real))
    if isinstance(correction, MaskedWeights):
        outside = (ratio < correction.low) | (ratio > correction.high)
        return ImportanceWeights(torch.where(outside | ~real, 0, ratio), outside & real)
    above = (ratio > correction.cap) & real
    return ImportanceWeights(ratio.clamp(max=correction.cap) * real, above)
