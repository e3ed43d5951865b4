"""Attention within a pack, as transformers' models call it.

The batch that is being computed is found in a context variable, since not every architecture hands
further arguments down to its attention.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from transformers import AttentionInterface

from rkd_online.models.packed import PackedBatch, Places
from rkd_online.models.tiles import Tile, Tiles

NAME: Final = "rkd_packed"
"""What transformers knows this attention by; it makes no mask for a name that it does not know."""


@dataclass(slots=True)
class Attending:
    """The batch at hand, and the window of every call of the attention so far."""

    batch: PackedBatch
    windows: list[int | None] = field(default_factory=list)
    blocks: dict[int | None, BlockMask] = field(default_factory=dict)


_current: ContextVar[Attending | None] = ContextVar("rkd_packed", default=None)


@contextmanager
def attending(batch: PackedBatch) -> Iterator[Attending]:
    """Attention within is that of a batch; within the same batch already, that goes on."""
    now = _current.get()
    to = now if now is not None and now.batch is batch else Attending(batch)
    token = _current.set(to)
    try:
        yield to
    finally:
        _current.reset(token)


def attending_again(compute: Callable[..., Any]) -> Callable[..., Any]:
    """``compute`` with today's batch, whenever and in whatever thread it is called."""
    to = _current.get()

    def computed(*inputs: Any, **settings: Any) -> Any:
        token = _current.set(to)
        try:
            return compute(*inputs, **settings)
        finally:
            _current.reset(token)

    return computed


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention over queries [1, H, L, D] and keys and values [1, G, L, D]: [1, L, H, D].

    What it does not know of, sinks say, changes the log-probs: ``verify`` sees that.
    """
    assert query.shape[0] == 1 and attention_mask is None, (query.shape, attention_mask)
    at = _current.get()
    assert at is not None, "a packed model is computed through CompletionModel alone"
    at.windows.append(sliding_window)
    if query.device.type == "cpu":
        found = tile_attention(
            query, key, value, at.batch.tiles, scaling, window=sliding_window, cap=softcap
        )
    else:
        found = flex_packed_attention(query, key, value, at, scaling, sliding_window, softcap)
    return found, None


AttentionInterface.register(NAME, packed_attention)


def tile_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    tiles: Tiles,
    scale: float | None,
    *,
    window: int | None,
    cap: float | None,
) -> Tensor:
    """Tile by tile through torch's fused attention."""
    query, key, value = (side[0].transpose(0, 1) for side in (query, key, value))
    parts = [
        _of_tile(query, key, value, tile, scale, window, cap).flatten(0, 1) for tile in tiles.tiles
    ]
    return torch.cat(parts).index_select(0, tiles.slots).unsqueeze(0)


def _of_tile(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    tile: Tile,
    scale: float | None,
    window: int | None,
    cap: float | None,
) -> Tensor:
    """From queries [L, H, D] of a pack to [R, T, H, D] of a tile."""
    rows = tile.shape[0]
    q = query.index_select(0, tile.queries).unflatten(0, (rows, -1)).transpose(1, 2)
    k = key.index_select(0, tile.keys).unflatten(0, (rows, -1)).transpose(1, 2)
    v = value.index_select(0, tile.keys).unflatten(0, (rows, -1)).transpose(1, 2)
    grouped = query.shape[1] != key.shape[1]
    if cap is not None:
        return _capped(q, k, v, tile.additive(window), scale, cap).transpose(1, 2)
    mask = tile.mask(window)
    found = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=mask is None, scale=scale, enable_gqa=grouped
    )
    return found.transpose(1, 2)


def _capped(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float | None, cap: float
) -> Tensor:
    """Attention whose scores are cap * tanh(score / cap), as Gemma-2's."""
    shared = query.shape[1] // key.shape[1]
    key, value = (side.repeat_interleave(shared, 1) for side in (key, value))
    scores = query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5 if scale is None else scale)
    scores = cap * torch.tanh(scores / cap) + mask
    return torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype) @ value


def flex_packed_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    at: Attending,
    scale: float | None,
    window: int | None,
    cap: float | None,
) -> Tensor:
    """The same through FlexAttention, whose kernels leave out what no query sees.

    No test runs it on a GPU, so none compiles it or its mask; on CPU it is compared with the tiles.
    """
    if window not in at.blocks:
        at.blocks[window] = _block_mask(at.batch.places, window)
    grouped = query.shape[1] != key.shape[1]
    attend = _compiled() if query.device.type == "cuda" else flex_attention
    found = attend(
        query,
        key,
        value,
        score_mod=None if cap is None else _soft_cap(cap),
        block_mask=at.blocks[window],
        scale=scale,
        enable_gqa=grouped,
    )
    assert isinstance(found, Tensor)
    return found.transpose(1, 2)


@cache
def _compiled() -> Any:
    return torch.compile(flex_attention, dynamic=True)


@cache
def _compiled_mask() -> Any:
    return torch.compile(create_block_mask, dynamic=True)


# With gradients and without, the compiler would make it twice.
@torch.no_grad()
def _block_mask(places: Places, window: int | None) -> BlockMask:
    prompts, siblings, positions = places

    def seen(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        distance = positions[query] - positions[key]
        mine = (siblings[key] == 0) | (siblings[key] == siblings[query])
        found = (prompts[key] == prompts[query]) & mine & (distance >= 0)
        return found if window is None else found & (distance < window)

    length, device = len(positions), positions.device
    # Uncompiled it makes tensors [L, L] first, some of int64.
    create = _compiled_mask() if device.type == "cuda" else create_block_mask
    found = create(seen, None, None, length, length, device=str(device))
    assert isinstance(found, BlockMask)
    return found


def _soft_cap(cap: float) -> Any:
    def capped(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return cap * torch.tanh(score / cap)

    return capped
