"""What every row of the catalogue reads: the sampled tokens, checked and cleared of padding."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class SampledTokens:
    """Log-probs (nats) of sampled tokens, all ``[B, T]``; padded positions hold 0 everywhere.

    ``policy`` alone carries gradient. ``mask`` is bool. ``advantages`` is each sequence's, repeated
    over its tokens.
    """

    policy: Tensor
    old: Tensor
    advantages: Tensor
    mask: Tensor


@dataclass(frozen=True, slots=True)
class TaughtTokens(SampledTokens):
    """Sampled tokens that the teacher has scored too. ``teacher`` is ``[B, T]``, no gradient."""

    teacher: Tensor


def sampled_tokens(
    policy_logprobs: Tensor,
    old_logprobs: Tensor,
    teacher_logprobs: Tensor | None,
    advantages: Tensor,
    mask: Tensor,
) -> SampledTokens:
    """Check shapes, cast to the policy's dtype, detach all but the policy and clear the padding.

    All are ``[B, T]`` but ``advantages``, which is ``[B]``. Returns ``TaughtTokens`` exactly where
    teacher log-probs are given. ``ValueError`` names an argument of the wrong shape or dtype.
    """
    if policy_logprobs.dim() != 2 or not policy_logprobs.is_floating_point():
        raise ValueError(
            f"policy_logprobs is {policy_logprobs.dtype} of shape {list(policy_logprobs.shape)}, "
            "expected a float dtype and two dimensions [B, T]"
        )
    batch, length = policy_logprobs.shape
    expect_shape("mask", mask, (batch, length))
    expect_shape("advantages", advantages, (batch,))
    real = mask.bool()
    # Cleared before any arithmetic: NaN or infinity times a mask of 0 would still be NaN.
    policy = torch.where(real, policy_logprobs, 0)
    old = stream("old_logprobs", old_logprobs, real, policy.dtype)
    repeated = constant(advantages.unsqueeze(1), real, policy.dtype)
    if teacher_logprobs is None:
        return SampledTokens(policy, old, repeated, real)
    teacher = stream("teacher_logprobs", teacher_logprobs, real, policy.dtype)
    return TaughtTokens(policy, old, repeated, real, teacher)


def stream(name: str, values: Tensor, mask: Tensor, dtype: torch.dtype) -> Tensor:
    """``constant`` of one value per token; ``ValueError`` names what has another shape."""
    expect_shape(name, values, tuple(mask.shape))
    return constant(values, mask, dtype)


def constant(values: Tensor, mask: Tensor, dtype: torch.dtype) -> Tensor:
    """``values`` without gradient, in ``dtype``, with 0 wherever ``mask`` is False."""
    return torch.where(mask, values.detach().to(dtype), 0)


def expect_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """``ValueError`` naming the argument and both shapes where they differ."""
    if tensor.shape != shape:
        raise ValueError(f"{name} has shape {list(tensor.shape)}, expected {list(shape)}")
