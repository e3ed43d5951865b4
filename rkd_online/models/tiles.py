"""How a CPU attends within a pack: small rectangles of lines of similar lengths.

Only attention is padded, and only within a tile. A prompt that one completion follows is one causal
line with it. Siblings are a line each, whose keys are those of the prompt and their own.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import torch
from torch import Tensor

from rkd_online.models.layout import Layout

CALL_PAIRS: Final = 4096
"""A further call costs about as much as attention between so many pairs of query and key."""
PADDED_SHARE: Final = 0.25
"""Pairs that padding may add to those of a tile, beside ``CALL_PAIRS``."""
MASKED_PAIRS: Final = 1 << 22
"""Pairs in a tile that needs a mask, of which each line may have its own, unless it is a single
line: 16 MiB."""


class Line(NamedTuple):
    """``length`` queries from ``start``; its keys are ``prompt_length`` tokens from ``prompt`` and
    those queries, causally."""

    prompt: int
    prompt_length: int
    start: int
    length: int

    @property
    def keys(self) -> int:
        return self.prompt_length + self.length


@dataclass(frozen=True, slots=True)
class Tile:
    """R lines with T queries and K = P + T keys each: P of a prompt (left-padded), T of its own
    (right-padded).

    ``queries`` [R * T] and ``keys`` [R * K] are places in the pack; padding repeats a real one.
    ``prompts`` are the R lengths of the prompts, or one where all are the same.
    """

    queries: Tensor
    keys: Tensor
    shape: tuple[int, int, int]
    prompts: Tensor
    masks: dict[int | None, Tensor | None] = field(default_factory=dict)

    def mask(self, window: int | None) -> Tensor | None:
        """What is added to attention scores: float32 [R or 1, 1, T, K], or None for plain causal
        attention. A query sees ``window`` tokens at the most, itself included."""
        _, _, keys = self.shape
        reach = None if window is None or window >= keys else window
        if reach not in self.masks:
            plain = reach is None and not self._has_prompts()
            self.masks[reach] = None if plain else self._build(reach)
        return self.masks[reach]

    def additive(self, window: int | None) -> Tensor:
        """As ``mask``, of plain causal attention too."""
        found = self.mask(window)
        return self._build(None) if found is None else found

    def _has_prompts(self) -> bool:
        _, queries, keys = self.shape
        return keys > queries

    def _build(self, window: int | None) -> Tensor:
        _, queries, keys = self.shape
        device, columns = self.keys.device, keys - queries
        own = torch.arange(queries, device=device)[:, None]
        key = torch.arange(keys, device=device)
        distance = own + columns - key
        seen = (distance >= 0) & (key >= columns - self.prompts[:, None, None])
        if window is not None:
            seen = seen & (distance < window)
        return torch.zeros(seen.shape, device=device).masked_fill_(~seen, -math.inf).unsqueeze(1)


@dataclass(frozen=True, slots=True)
class Tiles:
    """Every token of a pack in one tile; ``slots`` [L] finds it among the queries of all tiles."""

    tiles: tuple[Tile, ...]
    slots: Tensor


def build_tiles(layout: Layout, device: torch.device | str = "cpu") -> Tiles:
    """The tiles of a pack; a function of its lengths."""
    tiles: list[Tile] = []
    slots = torch.empty(layout.tokens, dtype=torch.int64)
    offset = 0
    for lines in _alike(_lines(layout)):
        tile = _tile(lines, device)
        _, width, _ = tile.shape
        places = torch.arange(offset, offset + len(lines) * width).view(len(lines), width)
        real = torch.arange(width) < torch.tensor([line.length for line in lines])[:, None]
        slots[tile.queries.cpu().view(len(lines), width)[real]] = places[real]
        offset += len(lines) * width
        tiles.append(tile)
    return Tiles(tuple(tiles), slots.to(device))


def _lines(layout: Layout) -> Iterator[Line]:
    following: list[list[Line]] = [[] for _ in layout.prompts]
    for one in layout.completions:
        prompt = layout.prompts[one.prompt]
        if one.length:
            line = Line(prompt.start, prompt.length, one.start, one.length)
            following[one.prompt].append(line)
    for prompt, lines in zip(layout.prompts, following, strict=True):
        if len(lines) > 1:
            yield Line(prompt.start, 0, prompt.start, prompt.length)
            yield from lines
        else:
            yield Line(
                prompt.start, 0, prompt.start, prompt.length + sum(line.length for line in lines)
            )


def _alike(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Lines by kind and length, cut where padding would cost more than a further call."""
    chosen: list[Line] = []
    pairs = width = prompt = 0
    for line in sorted(lines, key=_likeness):
        own = line.length * line.keys
        wider, longer = max(width, line.length), max(prompt, line.prompt_length)
        padded = (len(chosen) + 1) * wider * (wider + longer)
        alike = (prompt > 0) == (longer > 0) and (not longer or padded <= MASKED_PAIRS)
        if chosen and not (alike and padded <= CALL_PAIRS + (1 + PADDED_SHARE) * (pairs + own)):
            yield chosen
            chosen, pairs, wider, longer = [], 0, line.length, line.prompt_length
        chosen.append(line)
        pairs, width, prompt = pairs + own, wider, longer
    yield chosen


def _likeness(line: Line) -> tuple[int, int, int]:
    """Of prompts that differ by less than a fifth, the lengths of the completions decide."""
    rank = int(4 * math.log2(line.prompt_length + 8)) if line.prompt_length else 0
    return rank, line.length, line.prompt_length


def _tile(lines: list[Line], device: torch.device | str) -> Tile:
    prompt, lengths, own, owns = torch.tensor(lines).unbind(1)
    columns, width = int(lengths.max()), int(owns.max())
    before = (torch.arange(columns) - (columns - lengths)[:, None]).clamp(min=0)
    queries = own[:, None] + torch.arange(width).minimum(owns[:, None] - 1)
    keys = torch.cat([prompt[:, None] + before, queries], 1)
    same = lengths[:1] if bool((lengths == columns).all()) else lengths
    return Tile(
        queries.flatten().to(device),
        keys.flatten().to(device),
        (len(lines), width, columns + width),
        same.to(device),
    )
