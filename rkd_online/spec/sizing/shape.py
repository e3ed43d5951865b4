"""The shape of a decoder, and how many parameters each part of it has."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

FLOAT32 = 4
"""Bytes of a number."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A gated feed-forward layer: two matrices up to ``inner``, one back."""

    inner: int


@dataclass(frozen=True, slots=True)
class Experts:
    """``count`` of them with a router, of which a token passes ``used``. ``dense_layers`` layers
    have one plain feed-forward of ``dense_inner`` instead."""

    inner: int
    count: int
    used: int
    dense_layers: int = 0
    dense_inner: int = 0


FeedForward: TypeAlias = Dense | Experts


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder. ``biases`` are those of one layer's linear maps together; ``head_norms`` the sizes
    of its norms over queries and keys; ``norms`` how many of ``width`` a layer has."""

    family: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    context: int | None
    tied: bool
    feed_forward: FeedForward
    biases: int = 0
    head_norms: tuple[int, ...] = ()
    norms: Literal[2, 4] = 2

    @property
    def queries(self) -> int:
        """Width of all queries of a token."""
        return self.heads * self.head_size

    @property
    def keys(self) -> int:
        """Width of all keys of a token, or of its values."""
        return self.kv_heads * self.head_size

    @property
    def embedding(self) -> int:
        """Parameters of the embedding; of an untied head as many more."""
        return self.vocabulary * self.width

    @property
    def attention(self) -> int:
        """Parameters of one layer's four attention matrices."""
        return 2 * self.width * (self.queries + self.keys)

    @property
    def layer(self) -> float:
        """Parameters of one layer, of unequal ones the mean."""
        return self._layer(_held(self.feed_forward, self.layers, self.width))

    @property
    def parameters(self) -> int:
        """All of them; a tied head is its embedding and counts once."""
        ends = self.embedding * (1 if self.tied else 2) + self.width
        return ends + round(self.layers * self.layer)

    @property
    def matrices(self) -> int:
        """Parameters of the layers' matrices, which is what a lower precision copies."""
        held = _held(self.feed_forward, self.layers, self.width)
        return round(self.layers * (self.attention + held))

    @property
    def active(self) -> int:
        """Parameters of the layers' matrices that one token is multiplied with."""
        used = _used(self.feed_forward, self.layers, self.width)
        return round(self.layers * (self.attention + used))

    def kv_values(self, gpus: int = 1) -> int:
        """Numbers that the key-value cache holds of a token, on each of ``gpus`` that share the
        heads, of which each has at least one."""
        return 2 * self.layers * max(1, self.kv_heads // gpus) * self.head_size

    def _layer(self, feed_forward: float) -> float:
        small = self.biases + sum(self.head_norms) + self.norms * self.width
        return self.attention + feed_forward + small


def _held(one: FeedForward, layers: int, width: int) -> float:
    """Parameters of a layer's feed-forward, in the mean over layers."""
    if isinstance(one, Dense):
        return 3 * width * one.inner
    return _mean(one, layers, width, one.count)


def _used(one: FeedForward, layers: int, width: int) -> float:
    """Those of them that a token meets."""
    if isinstance(one, Dense):
        return 3 * width * one.inner
    return _mean(one, layers, width, one.used)


def _mean(one: Experts, layers: int, width: int, experts: int) -> float:
    sparse = layers - one.dense_layers
    each = 3 * width * one.inner * experts + width * one.count
    return (sparse * each + one.dense_layers * 3 * width * one.dense_inner) / layers
