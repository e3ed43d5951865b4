from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rkd_online.batching.pack import micro_batches, minibatches
from rkd_online.errors import SpecError
from rkd_online.types import TrainingRow, logprobs, token_ids

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=60)


def row(group_id: int) -> TrainingRow:
    return TrainingRow(
        group_id, token_ids([1]), token_ids([2]), logprobs([-1.0]), None, 0.0, correct=False
    )


@given(LENGTHS, st.integers(0, 2000))
def test_every_row_is_packed_once_and_padding_counts(lengths: list[int], spare: int) -> None:
    budget = max(lengths) + spare
    packed = micro_batches(lengths, budget)
    assert sorted(index for chosen in packed for index in chosen) == list(range(len(lengths)))
    assert all(len(chosen) * max(lengths[i] for i in chosen) <= budget for chosen in packed)


@given(LENGTHS, st.integers(0, 2000))
def test_no_two_neighbours_would_fit_together(lengths: list[int], spare: int) -> None:
    budget = max(lengths) + spare
    packed = micro_batches(lengths, budget)
    for left, right in pairwise(packed):
        assert (len(left) + 1) * lengths[right[0]] > budget


def test_packing_by_hand() -> None:
    # By length: 2 2 3 | 5 | 6, as 3 rows of 3 are 9 and 2 rows of 6 would be 12.
    assert micro_batches([6, 2, 5, 2, 3], 9) == [[1, 3, 4], [2], [0]]
    assert micro_batches([6, 2, 5, 2, 3], 30) == [[1, 3, 4, 2, 0]]
    assert micro_batches([], 9) == []


def test_equal_rows_are_packed_in_their_order() -> None:
    assert micro_batches([4] * 5, 8) == [[0, 1], [2, 3], [4]]


def test_a_row_over_the_budget_is_named_with_what_to_raise() -> None:
    assert micro_batches([3, 9], 9) == [[0], [1]]
    with pytest.raises(
        SpecError, match=r"optimizer.micro_batch_tokens 8 is below one sequence of 9 tokens: raise"
    ):
        micro_batches([3, 9], 8)


def test_minibatches_are_whole_groups_in_order() -> None:
    rows = [row(group) for group in (2, 2, 7, 7, 7, 4, 9, 9)]
    assert minibatches(rows, 1) == [[0, 1, 2, 3, 4, 5, 6, 7]]
    assert minibatches(rows, 2) == [[0, 1, 2, 3, 4], [5, 6, 7]]
    assert minibatches(rows, 4) == [[0, 1], [2, 3, 4], [5], [6, 7]]


def test_groups_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="3 groups do not make 2 equal minibatches"):
        minibatches([row(0), row(1), row(2)], 2)
