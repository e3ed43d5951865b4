"""Log-probs of several candidates at each token, and of all other tokens together.

What a full distribution is compared by, at the memory of the candidates: beside the chunks of the
head nothing here is as wide as the vocabulary.
"""

from typing import Any, Final

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
    rest_of,
    scaled,
    scales_of,
    slope,
    softmax,
    weighted,
)
from rkd_online.models.readout import CandidateStatistics, TopStatistics

LEAST_REST: Final = -80.0
"""Below this the rest's gradient is not scaled up further: float32 ends at exp(88)."""


def candidate_logprobs(
    hidden: Tensor,
    head: Head,
    targets: Tensor,
    ids: Tensor,
    temperature: float,
    *,
    dtype: torch.dtype,
    limits: Limits = LIMITS,
) -> CandidateStatistics:
    """What ``token_logprobs`` gives, and the log-probs of ``ids`` [N, k] and of all other tokens
    together, in one pass.

    All but the entropy carry gradient; there is no second derivative. An id may come several times
    in a row.
    """
    assert hidden.ndim == 2 and targets.shape == hidden.shape[:1], (hidden.shape, targets.shape)
    assert ids.ndim == 2 and ids.shape[:1] == targets.shape, (ids.shape, targets.shape)
    scales = scales_of(head, temperature)
    inputs, bias = scaled(hidden, head, scales)
    return CandidateStatistics(
        *_Candidates.apply(inputs, head.weight, bias, targets, ids, scales.outer, dtype, limits)  # type: ignore[no-untyped-call]
    )


@torch.no_grad()
def top_logprobs(
    hidden: Tensor,
    head: Head,
    targets: Tensor,
    count: int,
    vocabulary: int,
    temperature: float,
    *,
    dtype: torch.dtype,
    limits: Limits = LIMITS,
) -> TopStatistics:
    """The ``count`` most probable of the first ``vocabulary`` tokens after each hidden state
    [N, D], beside the log-prob of ``targets`` [N]. Without gradient."""
    scales = scales_of(head, temperature)
    inputs, bias = scaled(hidden, head, scales)
    weight = head.weight.to(dtype)
    found = []
    for part, chosen in chunks(chunk_rows(weight, limits), inputs, targets):
        logits = logits_of(part.to(dtype), weight, bias, scales.outer)
        found.append(top_of(logits, chosen, count, vocabulary))
        del logits  # or it would stay beside that of the next chunk
    return TopStatistics(*(torch.cat(parts) for parts in zip(*found, strict=True)))


@torch.no_grad()
def top_of(logits: Tensor, targets: Tensor, count: int, vocabulary: int) -> TopStatistics:
    """The same of logits [n, V], which are changed on the way and are then as before."""
    total = logits.logsumexp(-1, keepdim=True)
    values, ids = logits[:, :vocabulary].topk(count)
    chosen = logits.gather(-1, targets.unsqueeze(-1))
    rest = rest_of(logits, ids).unsqueeze(-1)
    return TopStatistics((chosen - total)[:, 0], values - total, (rest - total)[:, 0], ids)


class _Candidates(torch.autograd.Function):
    """With p = softmax(z) and R the probability of the rest, d log p_i / dz = [i] - p, and
    d log R / dz_j = [j in the rest] p_j / R - p_j. A cap multiplies by the slope, as in the head.

    So one row of factors by the probabilities serves all log-probs of a token, and the candidates'
    own places are written over it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        ids: Tensor,
        outer: float | None,
        dtype: torch.dtype,
        limits: Limits,
    ) -> tuple[Tensor, ...]:
        rows, left = chunk_rows(weight, limits), limits.kept if any(ctx.needs_input_grad) else 0
        cast = weight.to(dtype)
        asked = torch.cat([targets.unsqueeze(-1), ids], -1)
        kept: list[Tensor | None] = []
        logprobs, entropies, values, rests, slopes = [], [], [], [], []
        for part, own in chunks(rows, hidden, asked):
            logits = logits_of(part.to(dtype), cast, bias, outer)
            chances, total, mean = softmax(logits)
            chosen = logits.gather(-1, own)
            logprobs.append(chosen[:, 0] - total)
            values.append(chosen[:, 1:] - total.unsqueeze(-1))
            entropies.append(total - mean)
            rests.append(rest_of(logits, own[:, 1:]) - total)
            slopes.append(slope(chosen, outer))
            left -= chances.numel()
            kept.append(weighted(chances, logits, outer).to(dtype) if left >= 0 else None)
            del logits, chances  # or they would stay beside those of the next chunk
        entropy, rest, candidates = torch.cat(entropies), torch.cat(rests), torch.cat(values)
        ctx.mark_non_differentiable(entropy)
        ctx.save_for_backward(
            hidden, weight, bias, asked, candidates, rest, torch.cat(slopes), *kept
        )
        ctx.rows, ctx.outer, ctx.dtype = rows, outer, dtype
        return torch.cat(logprobs), entropy, candidates, rest

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, asked, candidates, rest, slopes, *kept = ctx.saved_tensors
        to_target, _, to_candidates, to_rest = gradients
        incoming = torch.cat([to_target.unsqueeze(-1), to_candidates], -1)
        # What each log-prob gives to all logits; the rest's to its own beside.
        all_of = -(incoming.sum(-1) + to_rest)
        outside = all_of + to_rest * (-rest.clamp(min=LEAST_REST)).exp()
        inside = all_of.unsqueeze(-1) * candidates.exp() * slopes[:, 1:]
        direct = incoming * slopes
        to_hidden, to_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        to_bias = None if bias is None else torch.zeros_like(bias)
        cast = weight.to(ctx.dtype)
        parts = chunks(ctx.rows, hidden, asked, outside, inside, direct, to_hidden)
        for chances, (part, own, factor, fixed, own_of, into) in zip(kept, parts, strict=True):
            if chances is None:
                moved = chances_of(part.to(ctx.dtype), cast, bias, ctx.outer)
                moved.mul_(factor.unsqueeze(-1))
            else:
                moved = chances * factor.unsqueeze(-1)
            moved.scatter_(-1, own[:, 1:], fixed).scatter_add_(-1, own, own_of)
            moved = moved.to(ctx.dtype)
            into.copy_(moved @ cast)
            add_product(to_weight, moved.t(), part)
            if to_bias is not None:
                to_bias.add_(moved.sum(0))
            del chances, moved
        return to_hidden, to_weight, to_bias, None, None, None, None, None
