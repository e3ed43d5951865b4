"""Floating-point operations of a step, by role.

A matrix product takes 2 for each parameter and token, attention 4 for each value of a query and
token that it sees. A backward pass takes twice its forward pass.
"""

from rkd_online.spec.sizing.shape import Shape
from rkd_online.spec.sizing.work import Work


def sampling(shape: Shape, work: Work) -> float:
    """Each prompt once, then every new token; logits of the new ones alone."""
    body = 2.0 * shape.active * work.packed_tokens
    head = 2.0 * shape.embedding * work.new_tokens
    return body + head + _attention(shape, work)


def scoring(shape: Shape, work: Work, *, shared: bool) -> float:
    """The teacher's pass over a step. Where prompts are not ``shared``, as in an engine that gives
    prompt log-probs, each sequence has its own and logits of all its tokens."""
    if shared:
        return sampling(shape, work)
    tokens = work.sequences * work.longest
    pairs = work.sequences * work.longest**2 / 2
    return 2.0 * (shape.active + shape.embedding) * tokens + _pairs(shape, pairs)


def update(shape: Shape, work: Work, *, epochs: int, forwards: int, again: bool) -> float:
    """Forward and backward passes of every epoch, and ``forwards`` more without gradient. Layers
    that are computed ``again``, and the head always, take a second forward pass."""
    body = 2.0 * shape.active * work.packed_tokens + _attention(shape, work)
    head = 2.0 * shape.embedding * work.new_tokens
    learned = epochs * ((4 if again else 3) * body + 4 * head)
    return learned + forwards * (body + head)


def _attention(shape: Shape, work: Work) -> float:
    prompt = work.groups * work.prompt**2 / 2
    return _pairs(shape, prompt + work.new_tokens * (work.prompt + work.new / 2))


def _pairs(shape: Shape, pairs: float) -> float:
    return 4.0 * shape.layers * shape.queries * pairs
