"""A linear output layer by chunks of tokens: logits and what is made of them.

Logits exist for a chunk of tokens at a time. The limits count elements, so memory does not grow
with the vocabulary.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

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


class Scales(NamedTuple):
    """Logits over temperature are ``outer`` * tanh(``inner`` * (W h + b)), or without a cap
    ``inner`` * (W h + b)."""

    inner: float
    outer: float | None


def scales_of(head: Head, temperature: float) -> Scales:
    """The factors that turn W h + b into logits over ``temperature``."""
    if head.cap is None:
        return Scales(head.scale / temperature, None)
    return Scales(head.scale / head.cap, head.cap / temperature)


def scaled(hidden: Tensor, head: Head, scales: Scales) -> tuple[Tensor, Tensor | None]:
    """Hidden states and bias times the inner scale."""
    if scales.inner == 1.0:
        return hidden, head.bias
    return hidden * scales.inner, None if head.bias is None else head.bias * scales.inner


def chunk_rows(weight: Tensor, limits: Limits) -> int:
    """Tokens in one chunk, at least one."""
    return max(1, limits.chunk // weight.shape[0])


def chunks(rows: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Parts of ``rows`` tokens of all tensors at a time."""
    return zip(*(tensor.split(rows) for tensor in tensors), strict=True)


def logits_of(hidden: Tensor, weight: Tensor, bias: Tensor | None, outer: float | None) -> Tensor:
    """[n, V] in float32, of float64 in float64; divided by the temperature."""
    product = hidden @ weight.t()
    logits = product.to(torch.promote_types(product.dtype, torch.float32))
    if bias is not None:
        logits += bias
    return logits if outer is None else logits.tanh_().mul_(outer)


def chances_of(hidden: Tensor, weight: Tensor, bias: Tensor | None, outer: float | None) -> Tensor:
    """Probabilities times slopes [n, V], as forward kept them of other chunks."""
    logits = logits_of(hidden, weight, bias, outer)
    if outer is None:
        return torch.softmax(logits, -1, out=logits)
    return weighted(torch.softmax(logits, -1), logits, outer)


def softmax(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities [n, V], log sum exp [n] and the mean logit under the probabilities [n]."""
    chances = torch.empty_like(logits)
    totals, means = [], []
    rows = max(1, CACHED_ELEMENTS // logits.shape[1])
    for part, into in chunks(rows, logits, chances):
        torch.softmax(part, -1, out=into)
        # Of the most probable token, whose probability is never too small for a logarithm.
        totals.append(part.amax(-1) - into.amax(-1).log())
        means.append(torch.linalg.vecdot(into, part))
    return chances, torch.cat(totals), torch.cat(means)


def rest_of(logits: Tensor, ids: Tensor) -> Tensor:
    """Log sum exp [n] of the logits [n, V] beside those at ``ids`` [n, k], minus infinity where
    there are none. ``logits`` are changed on the way, and are then as before."""
    found = []
    rows = max(1, CACHED_ELEMENTS // logits.shape[1])
    for part, own in chunks(rows, logits, ids):
        inside = part.gather(-1, own)
        found.append(part.scatter_(-1, own, -torch.inf).logsumexp(-1))
        part.scatter_(-1, own, inside)
    return torch.cat(found)


def slope(logits: Tensor, outer: float | None) -> Tensor:
    """d logit / d(what the cap was applied to)."""
    if outer is None:
        return torch.ones_like(logits)
    return outer * (1 - (logits / outer) ** 2)


def weighted(chances: Tensor, logits: Tensor, outer: float | None) -> Tensor:
    """Probabilities times slopes, in the place of the probabilities."""
    return chances if outer is None else chances.mul_(slope(logits, outer))


def add_product(total: Tensor, left: Tensor, right: Tensor, *, times: float = 1.0) -> None:
    """total += times * (left @ right); a product of 16 bits is added up in ``total``'s type."""
    if left.dtype == total.dtype:
        total.addmm_(left, right, alpha=times)
    else:
        total.add_(left @ right.to(left.dtype), alpha=times)
