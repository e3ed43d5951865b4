"""A pack by hand, and who attends to whom in it, against the definition."""

import math
import random

import pytest
import torch
from torch import Tensor

from rkd_online.models.attention import attending, flex_packed_attention, tile_attention
from rkd_online.models.packed import PackedBatch, pack
from rkd_online.models.tiles import MASKED_PAIRS
from rkd_online.types import TokenIds, token_ids

Sequence = tuple[TokenIds, TokenIds]


def test_a_pack_by_hand() -> None:
    shared, other = token_ids([10, 11, 12]), token_ids([30])
    batch = pack(
        [
            (shared, token_ids([20, 21])),
            (other, token_ids([40])),
            (shared, token_ids([50, 51, 52])),
        ]
    )
    # A prompt, its completions without their last tokens, the next prompt.
    assert batch.ids.tolist() == [[10, 11, 12, 20, 50, 51, 30]]
    assert batch.places.positions.tolist() == [0, 1, 2, 3, 3, 4, 0]
    assert batch.places.prompts.tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert batch.places.siblings.tolist() == [0, 0, 0, 1, 3, 3, 0]
    # Row by row: what is predicted, and where.
    assert batch.targets.tolist() == [20, 21, 40, 50, 51, 52]
    assert batch.predictors.tolist() == [2, 3, 6, 2, 4, 5]
    assert batch.mask.tolist() == [[True, True, False], [True, False, False], [True, True, True]]
    assert batch.by_row(torch.arange(6.0)).tolist() == [[0, 1, 0], [2, 0, 0], [3, 4, 5]]


def groups(seed: int) -> list[Sequence]:
    """Groups of one to five siblings, in a row; all tokens of a pack differ, so each is known."""
    draw, numbers, found = random.Random(seed), iter(range(10**6)), []
    for _ in range(draw.randint(1, 8)):
        prompt = token_ids(next(numbers) for _ in range(draw.choice([1, 2, 9, 40, 90])))
        for _ in range(draw.randint(1, 5)):
            length = draw.choice([1, 2, 3, 15, 60])
            found.append((prompt, token_ids(next(numbers) for _ in range(length))))
    return found


def dense(
    batch: PackedBatch,
    sequences: list[Sequence],
    sides: tuple[Tensor, Tensor, Tensor],
    window: int | None,
    cap: float | None,
) -> Tensor:
    """Attention of each sequence alone, token by token: [1, L, H, D]."""
    place = {token: index for index, token in enumerate(batch.ids[0].tolist())}
    query, key, value = (side[0].transpose(0, 1).double() for side in sides)
    shared = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(shared, 1), value.repeat_interleave(shared, 1)
    found = torch.full_like(query, math.nan)
    for prompt, completion in sequences:
        places = [place[token] for token in [*prompt, *completion[:-1]]]
        for index, at in enumerate(places):
            seen = places[max(0, index + 1 - (window or 10**9)) : index + 1]
            scores = torch.einsum("hd,khd->hk", query[at], key[seen]) * 0.3
            if cap is not None:
                scores = cap * torch.tanh(scores / cap)
            found[at] = torch.einsum("hk,khd->hd", scores.softmax(-1), value[seen])
    return found.unsqueeze(0)


def random_sides(tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    """Four query heads over two of keys, laid out as models do."""
    generator = torch.Generator().manual_seed(tokens)
    query, key, value = (
        torch.randn(1, tokens, heads, 8, generator=generator).transpose(1, 2) for heads in (4, 2, 2)
    )
    return query, key, value


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
@pytest.mark.parametrize("cap", [None, 2.0])
@pytest.mark.parametrize("window", [None, 1, 7, 64])
@pytest.mark.parametrize("seed", range(6))
def test_each_token_attends_to_those_before_it_in_its_own_sequence(
    seed: int, window: int | None, cap: float | None
) -> None:
    """On CPU by tiles, and by the mask that a GPU is given, which runs here without its kernel."""
    sequences = groups(seed)
    batch = pack(sequences)
    sides = random_sides(batch.ids.shape[1])
    expected = dense(batch, sequences, sides, window, cap).float()
    tiled = tile_attention(*sides, batch.tiles, 0.3, window=window, cap=cap)
    torch.testing.assert_close(tiled, expected, rtol=0, atol=1e-5)
    with attending(batch) as at:
        flexed = flex_packed_attention(*sides, at, 0.3, window, cap)
    torch.testing.assert_close(flexed, expected, rtol=0, atol=1e-5)


def test_tiles_of_long_siblings_stay_small() -> None:
    """Eight siblings of 2,000 tokens: a mask of all pairs would have 272 million."""
    prompt = token_ids(range(500))
    batch = pack([(prompt, token_ids(range(row, row + 2001))) for row in range(8)])
    masks = [tile.mask(None) for tile in batch.tiles.tiles]
    assert max(mask.numel() for mask in masks if mask is not None) <= 2000 * 2500 > MASKED_PAIRS


def test_a_prompt_that_one_completion_follows_needs_no_mask() -> None:
    batch = pack([(token_ids([one]), token_ids([2] * 50)) for one in range(20)])
    (tile,) = batch.tiles.tiles
    assert (tile.shape, tile.mask(None)) == ((20, 50, 50), None)
