from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rkd_online.batching.pack import micro_batches, minibatches
from rkd_online.errors import SpecError
from rkd_online.types import TokenIds, TrainingRow, logprobs, token_ids

Pairs = list[tuple[TokenIds, TokenIds]]

GROUPS = st.lists(
    st.tuples(st.integers(1, 100), st.lists(st.integers(1, 200), min_size=1, max_size=8)),
    min_size=1,
    max_size=12,
)
"""Tokens of each prompt and of its completions."""


def pairs(groups: list[tuple[int, list[int]]]) -> Pairs:
    """Sequences of these numbers of tokens; the prompts differ."""
    return [
        (token_ids([number] * prompt), token_ids([0] * completion))
        for number, (prompt, completions) in enumerate(groups)
        for completion in completions
    ]


def cost(sequences: Pairs, chosen: list[int]) -> int:
    """Tokens, each prompt once."""
    prompts = {bytes(sequences[row][0]): len(sequences[row][0]) for row in chosen}
    return sum(prompts.values()) + sum(len(sequences[row][1]) for row in chosen)


def row(group_id: int) -> TrainingRow:
    return TrainingRow(
        group_id,
        0,
        token_ids([1]),
        token_ids([2]),
        logprobs([-1.0]),
        None,
        0.0,
        correct=False,
        group_wrong=True,
    )


@given(GROUPS, st.integers(0, 1000))
def test_every_row_is_packed_once_within_the_budget(
    groups: list[tuple[int, list[int]]], spare: int
) -> None:
    sequences = pairs(groups)
    budget = max(len(prompt) + len(completion) for prompt, completion in sequences) + spare
    packed = micro_batches(sequences, budget)
    assert sorted(row for chosen in packed for row in chosen) == list(range(len(sequences)))
    assert all(cost(sequences, chosen) <= budget for chosen in packed)
    assert packed == micro_batches(sequences, budget)


@given(GROUPS, st.integers(0, 1000))
def test_a_group_that_fits_is_whole_and_no_two_micro_batches_would_fit_together(
    groups: list[tuple[int, list[int]]], spare: int
) -> None:
    sequences = pairs(groups)
    budget = max(len(prompt) + len(completion) for prompt, completion in sequences) + spare
    packed = micro_batches(sequences, budget)
    place = {row: number for number, chosen in enumerate(packed) for row in chosen}
    first = 0
    for prompt, completions in groups:
        rows = range(first, first + len(completions))
        if prompt + sum(completions) <= budget:
            assert len({place[row] for row in rows}) == 1
        first += len(completions)
    for one, other in combinations(packed, 2):
        assert cost(sequences, one + other) > budget


def test_packing_by_hand() -> None:
    # Groups of 3 + 4 + 2 = 9, 1 + 5 = 6, 2 + 2 + 2 = 6 and 4 + 3 = 7 tokens.
    sequences = pairs([(3, [4, 2]), (1, [5]), (2, [2, 2]), (4, [3])])
    assert micro_batches(sequences, 28) == [[0, 1, 2, 3, 4, 5]]
    # 9 + 6 | 7 + 6
    assert micro_batches(sequences, 15) == [[0, 1, 2], [3, 4, 5]]
    # 9 | 7 | 6 | 6
    assert micro_batches(sequences, 9) == [[0, 1], [5], [2], [3, 4]]
    # The first group in parts of 3 + 4 and 3 + 2: 7 | 7 | 6 | 6 | 5
    assert micro_batches(sequences, 8) == [[0], [5], [2], [3, 4], [1]]
    assert micro_batches([], 9) == []


def test_rows_of_equal_prompts_share_them_wherever_they_stand() -> None:
    first, second = pairs([(6, [2, 2]), (6, [2, 2])])[::2]
    assert micro_batches([first, second, first, second], 10) == [[0, 2], [1, 3]]


def test_padded_rows_cost_their_longest() -> None:
    # By length: 2 2 3 | 5 | 6, as 3 rows of 3 are 9 and 2 rows of 6 would be 12.
    sequences = pairs([(1, [length - 1]) for length in (6, 2, 5, 2, 3)])
    assert micro_batches(sequences, 9, packed=False) == [[1, 3, 4], [2], [0]]
    assert micro_batches(sequences, 30, packed=False) == [[1, 3, 4, 2, 0]]
    # Equal rows in their order, though they share a prompt.
    equal = pairs([(2, [2] * 5)])
    assert micro_batches(equal, 8, packed=False) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("packed", [True, False])
def test_a_row_over_the_budget_is_named_with_what_to_raise(packed: bool) -> None:
    sequences = pairs([(1, [2]), (4, [5])])
    assert micro_batches(sequences, 9, packed=packed) == ([[1], [0]] if packed else [[0], [1]])
    with pytest.raises(
        SpecError,
        match=r"optimizer.micro_batch_tokens 8 is below one sequence of 9 tokens \(4 of its "
        r"prompt, 5 of its completion\): raise it to 9 at least",
    ):
        micro_batches(sequences, 8, packed=packed)


def test_minibatches_are_whole_groups_in_order() -> None:
    rows = [row(group) for group in (2, 2, 7, 7, 7, 4, 9, 9)]
    assert minibatches(rows, 1) == [[0, 1, 2, 3, 4, 5, 6, 7]]
    assert minibatches(rows, 2) == [[0, 1, 2, 3, 4], [5, 6, 7]]
    assert minibatches(rows, 4) == [[0, 1], [2, 3, 4], [5], [6, 7]]


def test_groups_that_do_not_divide_make_minibatches_that_differ_by_one() -> None:
    assert minibatches([row(0), row(1), row(2)], 2) == [[0, 1], [2]]
    assert minibatches([row(7)], 2) == [[0]]
    assert minibatches([], 2) == []
