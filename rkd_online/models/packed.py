"""Sequences packed into one, without padding, as tensors."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from rkd_online.models.layout import Layout, Sequences, lay_out
from rkd_online.models.tiles import Tiles, build_tiles
from rkd_online.types import TokenIds


class Places(NamedTuple):
    """Who each token of a pack is: three int64 [L].

    ``prompts`` numbers the prompts, ``siblings`` the completions over the whole pack from 1, 0 for
    a prompt's own tokens; ``positions`` counts within a sequence from the prompt's first token.
    """

    prompts: Tensor
    siblings: Tensor
    positions: Tensor


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """B sequences in L tokens, with N completion tokens in all, row after row.

    ``ids`` are int64 [1, L]; ``predictors`` and ``targets`` int64 [N]: where in the pack each
    completion token is predicted, and which token it is; ``mask`` is bool [B, T] with N trues.
    """

    ids: Tensor
    places: Places
    tiles: Tiles
    predictors: Tensor
    targets: Tensor
    mask: Tensor

    def by_row(self, values: Tensor) -> Tensor:
        """From completion tokens [N, ...] to [B, T, ...], 0 right of a shorter row."""
        assert values.shape[:1] == self.targets.shape, (values.shape, self.targets.shape)
        more = values.shape[1:]
        mask = self.mask.view(*self.mask.shape, *(1 for _ in more))
        return values.new_zeros(*self.mask.shape, *more).masked_scatter(mask, values)

    def by_token(self, values: Tensor) -> Tensor:
        """From [B, T, ...] to completion tokens [N, ...]."""
        assert values.shape[:2] == self.mask.shape, (values.shape, self.mask.shape)
        return values[self.mask]


def pack(sequences: Sequences, device: torch.device | str = "cpu") -> PackedBatch:
    """Rows with the same prompt share it, whatever their order. Raises ValueError for a prompt or
    a completion without tokens."""
    ids, layout = lay_out(sequences)
    completions = [completion for _, completion in sequences]
    return PackedBatch(
        ids=_tensor(ids).unsqueeze(0).to(device),
        places=Places(*(one.to(device) for one in _places(layout))),
        tiles=build_tiles(layout, device),
        predictors=_predictors(layout).to(device),
        targets=joined(completions).to(device),
        mask=sequence_mask([len(one) for one in completions], device),
    )


def sequence_mask(lengths: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """True where a right-padded token is real: bool [B, T], T the largest of B ``lengths``."""
    columns = torch.arange(max(lengths), device=device)
    return columns < torch.tensor(lengths, device=device)[:, None]


def joined(streams: Sequence[TokenIds]) -> Tensor:
    """int64: all tokens, one stream after the other."""
    ids = array("q")
    for stream in streams:
        ids.extend(stream)
    return _tensor(ids)


def _tensor(ids: TokenIds) -> Tensor:
    return torch.frombuffer(ids, dtype=torch.int64)


def _places(layout: Layout) -> Places:
    segments = torch.tensor(layout.in_order())
    prompts, siblings, starts, lengths, positions = segments.unbind(1)
    shift = (positions - starts).repeat_interleave(lengths)
    return Places(
        prompts.repeat_interleave(lengths),
        siblings.repeat_interleave(lengths),
        torch.arange(layout.tokens) + shift,
    )


def _predictors(layout: Layout) -> Tensor:
    """A prompt's last token predicts the first of each completion, and each token the next."""
    lengths = [one.length + 1 for one in layout.completions]
    firsts = torch.tensor([0, *accumulate(lengths)][:-1])
    starts = torch.tensor([one.start for one in layout.completions])
    shift = (starts - 1 - firsts).repeat_interleave(torch.tensor(lengths))
    places = torch.arange(sum(lengths)) + shift
    heads = [layout.prompts[one.prompt] for one in layout.completions]
    places[firsts] = torch.tensor([head.start + head.length - 1 for head in heads])
    return places
