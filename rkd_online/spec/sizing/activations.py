"""What a forward pass leaves for the backward pass, by token.

The counts are those of transformers' decoder layers as torch saves them: two norms with their
inputs, normalized values and outputs; queries, keys, values and result of the attention; four
values of the gated feed-forward. A matrix product in bfloat16 keeps its inputs in two bytes, and
each product a copy of its own; norms and the sum of layers stay in float32.
"""

from rkd_online.spec.sizing.shape import FLOAT32, Dense, Shape

WIDE_INPUTS, NARROW_INPUTS = 2, 5
"""Outputs of a layer's norms that are kept: one each, or a copy for each of the five products."""


def layer_bytes(shape: Shape, narrow: int, keys: float = 1.0) -> float:
    """Bytes of one token in one layer. ``narrow`` is the size of a number in a product, ``keys``
    how many keys attention holds for each token: a CPU has those of a prompt for each sibling."""
    width, queries = shape.width, shape.queries
    inputs = WIDE_INPUTS if narrow == FLOAT32 else NARROW_INPUTS
    norms = 2 * shape.norms * width * FLOAT32 + inputs * width * narrow
    attention = narrow * (3 * queries + 2 * shape.keys * keys)
    normed = (FLOAT32 + narrow) * (queries + shape.keys) if shape.head_norms else 0
    sums = FLOAT32 * (shape.heads + shape.norms + (shape.heads + shape.kv_heads) * bool(normed))
    return norms + attention + normed + narrow * _feed_forward(shape) + sums


def kept_bytes(shape: Shape, narrow: int, *, again: bool, keys: float = 1.0) -> float:
    """The same of all layers. Where they are computed ``again`` backward each keeps its input
    alone."""
    each = shape.width * FLOAT32 if again else layer_bytes(shape, narrow, keys)
    return shape.layers * each


def passing_bytes(shape: Shape, narrow: int) -> float:
    """Bytes of one token that come and go in one layer, forward or backward."""
    return narrow * 3 * _inner(shape) + FLOAT32 * 3 * shape.width


def _inner(shape: Shape) -> int:
    one = shape.feed_forward
    return one.inner if isinstance(one, Dense) else one.used * one.inner


def _feed_forward(shape: Shape) -> int:
    one = shape.feed_forward
    if isinstance(one, Dense):
        return 4 * one.inner
    return one.used * (4 * one.inner + shape.width)
