"""Log-probs over a vocabulary from hidden states, without a table of tokens times vocabulary.

Logits exist for a chunk of tokens at a time, forward and backward. The probabilities of as many
chunks as fit a limit are kept for the backward pass, so a small batch computes nothing twice; the
others are computed again. Both limits count elements, so memory does not grow with the vocabulary.
"""

from typing import Any

import torch
from torch import Tensor

from rkd_online.models.logits import (
    LIMITS,
    Head,
    Limits,
    add_product,
    chances_of,
    chunk_rows,
    chunks,
    logits_of,
    scaled,
    scales_of,
    slope,
    softmax,
    weighted,
)


def token_logprobs(
    hidden: Tensor,
    head: Head,
    targets: Tensor,
    temperature: float,
    *,
    dtype: torch.dtype,
    limits: Limits = LIMITS,
) -> tuple[Tensor, Tensor]:
    """Log-probs of ``targets`` and the entropy over the vocabulary: two of nats [N].

    ``hidden`` is [N, D], ``targets`` are ids [N]; logits are divided by ``temperature``. Matrix
    products are taken in ``dtype``, softmax in float32 (of float64 in float64). The log-probs carry
    the gradient of ``torch.log_softmax`` with respect to hidden states, weight and bias, the
    entropy none; there is no second derivative.
    """
    assert hidden.ndim == 2 and targets.shape == hidden.shape[:1], (hidden.shape, targets.shape)
    scales = scales_of(head, temperature)
    inputs, bias = scaled(hidden, head, scales)
    found = _Chosen.apply(inputs, head.weight, bias, targets, scales.outer, dtype, limits)  # type: ignore[no-untyped-call]
    logprobs, entropy = found
    assert isinstance(logprobs, Tensor) and isinstance(entropy, Tensor)
    return logprobs, entropy


class _Chosen(torch.autograd.Function):
    """With p = softmax(z) of logits z = W h and t the token, d log p_t / dz = [t] - p. A cap
    multiplies this by dz / d(W h), the slope."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        outer: float | None,
        dtype: torch.dtype,
        limits: Limits,
    ) -> tuple[Tensor, Tensor]:
        rows, left = chunk_rows(weight, limits), limits.kept if any(ctx.needs_input_grad) else 0
        cast = weight.to(dtype)
        kept: list[Tensor | None] = []
        logprobs, entropy, slopes = [], [], []
        for part, ids in chunks(rows, hidden, targets):
            logits = logits_of(part.to(dtype), cast, bias, outer)
            chances, total, mean = softmax(logits)
            chosen = logits.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
            logprobs.append(chosen - total)
            entropy.append(total - mean)
            slopes.append(slope(chosen, outer))
            left -= chances.numel()
            kept.append(weighted(chances, logits, outer).to(dtype) if left >= 0 else None)
            del logits, chances  # or they would stay beside those of the next chunk
        spread = torch.cat(entropy)
        ctx.mark_non_differentiable(spread)
        ctx.save_for_backward(hidden, weight, bias, targets, torch.cat(slopes), *kept)
        ctx.rows, ctx.outer, ctx.dtype = rows, outer, dtype
        return torch.cat(logprobs), spread

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, targets, slopes, *kept = ctx.saved_tensors
        incoming = gradients[0].unsqueeze(-1)
        to_target = incoming * slopes.unsqueeze(-1)
        to_hidden = to_target * weight.index_select(0, targets)
        moving = incoming * hidden
        to_weight = torch.zeros_like(weight)
        to_bias = None if bias is None else torch.zeros_like(bias)
        cast = weight.to(ctx.dtype)
        parts = chunks(ctx.rows, hidden, incoming, moving, to_hidden)
        for chances, (part, weights, moved, into) in zip(kept, parts, strict=True):
            if chances is None:
                chances = chances_of(part.to(ctx.dtype), cast, bias, ctx.outer).to(ctx.dtype)
            into.sub_(weights * (chances @ cast))
            add_product(to_weight, chances.t(), moved, times=-1)
            if to_bias is not None:
                to_bias.sub_((weights.to(chances.dtype).t() @ chances).squeeze(0))
            del chances
        to_weight.index_add_(0, targets, to_target * hidden)
        if to_bias is not None:
            to_bias.index_add_(0, targets, to_target.squeeze(-1))
        return to_hidden, to_weight, to_bias, None, None, None, None
