"""Log-softmax over vocabularies that are large beside everything else.

The plain way holds scaled logits, log-probs and probabilities of all tokens at once, each as large
as the logits. Here they exist for a chunk of tokens at a time, and the gradient is written in one
piece: a forward and backward pass holds the logits and their gradient, and no third such tensor.
"""

from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor

CHUNK_ELEMENTS: Final = 1 << 25
"""Logits in one chunk: 128 MiB in float32."""


def chosen_logprobs(
    logits: Tensor, targets: Tensor, temperature: float, *, chunk: int | None = None
) -> Tensor:
    """log softmax(logits / temperature) at each target: nats [N], float32, of float64 float64.

    ``logits`` are [N, V] in any float dtype, ``targets`` are ids [N]; ``chunk`` rows are worked on
    at once. The gradient is that of ``torch.log_softmax``, in the dtype of the logits; there is no
    second derivative.
    """
    assert logits.ndim == 2 and targets.shape == logits.shape[:1], (logits.shape, targets.shape)
    rows = chunk or _rows(logits)
    chosen = _ChosenLogprobs.apply(logits, targets, temperature, rows)  # type: ignore[no-untyped-call]
    assert isinstance(chosen, Tensor)
    return chosen


@torch.no_grad()
def entropies(logits: Tensor, temperature: float, *, chunk: int | None = None) -> Tensor:
    """Entropy of softmax(logits / temperature) [N, V] in nats [N], without gradient."""
    assert logits.ndim == 2, logits.shape
    parts = logits.split(chunk or _rows(logits))
    return torch.cat(
        [torch.special.entr(_log_softmax(part, temperature).exp()).sum(-1) for part in parts]
    )


def candidates_of(logits: Tensor, ids: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """log softmax(logits / temperature) at ``ids`` [N, k], and of all other tokens together [N].

    The plain way: their gradient holds a table as large as the logits more.
    """
    assert logits.ndim == 2 and ids.shape[:1] == logits.shape[:1], (logits.shape, ids.shape)
    table = _log_softmax(logits, temperature)
    found = table.gather(-1, ids)
    if ids.shape[1] >= logits.shape[1]:
        return found, found.new_full(ids.shape[:1], -torch.inf)
    return found, table.scatter(-1, ids, -torch.inf).logsumexp(-1)


class _ChosenLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, temperature: float, rows: int) -> Tensor:
        ctx.save_for_backward(logits, targets)
        ctx.temperature, ctx.rows = temperature, rows
        return torch.cat(
            [
                _log_softmax(part, temperature).gather(-1, ids.unsqueeze(-1)).squeeze(-1)
                for part, ids in _chunks(rows, logits, targets)
            ]
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """d log p(target) / d logit is ([the logit is the target's] - p) / temperature."""
        logits, targets = ctx.saved_tensors
        found = torch.empty_like(logits)
        for into, part, ids, weights in _chunks(ctx.rows, found, logits, targets, gradients[0]):
            weights = weights.unsqueeze(-1) / ctx.temperature
            slope = _log_softmax(part, ctx.temperature).exp_().mul_(-weights)
            into.copy_(slope.scatter_add_(-1, ids.unsqueeze(-1), weights))
        return found, None, None, None


def _rows(logits: Tensor) -> int:
    return max(1, CHUNK_ELEMENTS // logits.shape[1])


def _chunks(rows: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(tensor.split(rows) for tensor in tensors), strict=True)


def wide(logits: Tensor) -> Tensor:
    """In float32, of float64 in float64."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _log_softmax(logits: Tensor, temperature: float) -> Tensor:
    """At temperature 1 float32 logits are not copied before."""
    found = wide(logits)
    return torch.log_softmax(found if temperature == 1.0 else found / temperature, -1)
