"""Log-probs over a vocabulary from hidden states, without a table of tokens times vocabulary.

Logits exist for a chunk of tokens at a time, forward and backward. The probabilities of as many
chunks as fit a limit are kept for the backward pass, so a small batch computes nothing twice; the
others are computed again. Both limits count elements, so memory does not grow with the vocabulary.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

CHUNK_ELEMENTS: Final = 1 << 24
"""Logits in one chunk: 64 MiB in float32, and their probabilities as much again."""
KEPT_ELEMENTS: Final = 1 << 25
"""Probabilities kept for the backward pass: 128 MiB in float32."""
CACHED_ELEMENTS: Final = 1 << 20
"""Logits that a processor's cache holds from one of softmax's passes to the next."""


class Head(NamedTuple):
    """Logits of a hidden state h: ``scale`` * (W h + b), where there is a cap
    ``cap`` * tanh(that / ``cap``). ``weight`` is [V, D], ``bias`` [V] or None."""

    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0
    cap: float | None = None


class Limits(NamedTuple):
    """Elements in one chunk and of what is kept for the backward pass."""

    chunk: int = CHUNK_ELEMENTS
    kept: int = KEPT_ELEMENTS


LIMITS: Final = Limits()


class _Scales(NamedTuple):
    """Logits over temperature are ``outer`` * tanh(``inner`` * (W h + b)), or without a cap
    ``inner`` * (W h + b)."""

    inner: float
    outer: float | None


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
    scales = _scales(head, temperature)
    inputs = hidden if scales.inner == 1.0 else hidden * scales.inner
    bias = head.bias if head.bias is None or scales.inner == 1.0 else head.bias * scales.inner
    found = _Chosen.apply(inputs, head.weight, bias, targets, scales.outer, dtype, limits)  # type: ignore[no-untyped-call]
    logprobs, entropy = found
    assert isinstance(logprobs, Tensor) and isinstance(entropy, Tensor)
    return logprobs, entropy


@torch.no_grad()
def top_logprobs(
    hidden: Tensor,
    head: Head,
    count: int,
    temperature: float,
    *,
    dtype: torch.dtype,
    limits: Limits = LIMITS,
) -> tuple[Tensor, Tensor]:
    """The ``count`` most probable tokens after each hidden state [N, D]: log-probs, descending, and
    ids, both [N, count]. Without gradient."""
    scales = _scales(head, temperature)
    bias = None if head.bias is None else head.bias * scales.inner
    weight = head.weight.to(dtype)
    logprobs, ids = [], []
    for part in (hidden * scales.inner).split(_rows(head.weight, limits)):
        logits = _logits(part.to(dtype), weight, bias, scales.outer)
        values, places = logits.topk(count)
        logprobs.append(values - logits.logsumexp(-1, keepdim=True))
        ids.append(places)
    return torch.cat(logprobs), torch.cat(ids)


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
        rows, left = _rows(weight, limits), limits.kept if any(ctx.needs_input_grad) else 0
        cast = weight.to(dtype)
        kept: list[Tensor | None] = []
        logprobs, entropy, slopes = [], [], []
        for part, ids in _chunks(rows, hidden, targets):
            logits = _logits(part.to(dtype), cast, bias, outer)
            chances, total, mean = _softmax(logits)
            chosen = logits.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
            logprobs.append(chosen - total)
            entropy.append(total - mean)
            slopes.append(_slope(chosen, outer))
            left -= chances.numel()
            kept.append(_weighted(chances, logits, outer).to(dtype) if left >= 0 else None)
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
        scaled = incoming * hidden
        to_weight = torch.zeros_like(weight)
        to_bias = None if bias is None else torch.zeros_like(bias)
        cast = weight.to(ctx.dtype)
        parts = _chunks(ctx.rows, hidden, incoming, scaled, to_hidden)
        for chances, (part, weights, moved, into) in zip(kept, parts, strict=True):
            if chances is None:
                chances = _chances(part.to(ctx.dtype), cast, bias, ctx.outer).to(ctx.dtype)
            into.sub_(weights * (chances @ cast))
            _subtract_product(to_weight, chances.t(), moved)
            if to_bias is not None:
                to_bias.sub_((weights.to(chances.dtype).t() @ chances).squeeze(0))
            del chances
        to_weight.index_add_(0, targets, to_target * hidden)
        if to_bias is not None:
            to_bias.index_add_(0, targets, to_target.squeeze(-1))
        return to_hidden, to_weight, to_bias, None, None, None, None


def _scales(head: Head, temperature: float) -> _Scales:
    if head.cap is None:
        return _Scales(head.scale / temperature, None)
    return _Scales(head.scale / head.cap, head.cap / temperature)


def _rows(weight: Tensor, limits: Limits) -> int:
    return max(1, limits.chunk // weight.shape[0])


def _chunks(rows: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(tensor.split(rows) for tensor in tensors), strict=True)


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, outer: float | None) -> Tensor:
    """[n, V] in float32, of float64 in float64; divided by the temperature."""
    product = hidden @ weight.t()
    logits = product.to(torch.promote_types(product.dtype, torch.float32))
    if bias is not None:
        logits += bias
    return logits if outer is None else logits.tanh_().mul_(outer)


def _chances(hidden: Tensor, weight: Tensor, bias: Tensor | None, outer: float | None) -> Tensor:
    """Probabilities times slopes [n, V], as forward kept them of other chunks."""
    logits = _logits(hidden, weight, bias, outer)
    if outer is None:
        return torch.softmax(logits, -1, out=logits)
    return _weighted(torch.softmax(logits, -1), logits, outer)


def _softmax(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities [n, V], log sum exp [n] and the mean logit under the probabilities [n]."""
    chances = torch.empty_like(logits)
    totals, means = [], []
    rows = max(1, CACHED_ELEMENTS // logits.shape[1])
    for part, into in _chunks(rows, logits, chances):
        torch.softmax(part, -1, out=into)
        # Of the most probable token, whose probability is never too small for a logarithm.
        totals.append(part.amax(-1) - into.amax(-1).log())
        means.append(torch.linalg.vecdot(into, part))
    return chances, torch.cat(totals), torch.cat(means)


def _slope(logits: Tensor, outer: float | None) -> Tensor:
    """d logit / d(what the cap was applied to)."""
    if outer is None:
        return torch.ones_like(logits)
    return outer * (1 - (logits / outer) ** 2)


def _weighted(chances: Tensor, logits: Tensor, outer: float | None) -> Tensor:
    return chances if outer is None else chances.mul_(_slope(logits, outer))


def _subtract_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total -= left @ right; a product of 16 bits is added up in ``total``'s type."""
    if left.dtype == total.dtype:
        total.addmm_(left, right, alpha=-1)
    else:
        total.sub_(left @ right.to(left.dtype))
