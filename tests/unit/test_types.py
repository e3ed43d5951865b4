"""Lengths that have to fit are checked where a record is made."""

import pickle

import pytest

from rkd_online.types import (
    CandidateRollout,
    CandidateRow,
    Candidates,
    candidate_ids,
    logprobs,
)
from tests.unit.batching.scored import scored


def candidates(tokens: int, count: int = 2) -> Candidates:
    ids = candidate_ids(range(tokens * count))
    return Candidates(count, ids, logprobs([-1.0] * len(ids)), logprobs([-2.0] * tokens))


def test_candidates_are_as_many_at_each_token() -> None:
    with pytest.raises(ValueError) as caught:
        Candidates(2, candidate_ids([1, 2, 3]), logprobs([-1.0] * 4), logprobs([-2.0] * 2))
    said = "3 ids and 4 log-probs are not 2 candidates at each of 2 tokens"
    assert str(caught.value) == said


def test_candidates_are_those_of_the_completion() -> None:
    one = scored(1.0, length=3)
    fields = (one.rollout, one.reward, one.reward_parts, one.correctness, one.teacher_logprobs)
    assert CandidateRollout(*fields, candidates(3)).candidates.count == 2
    with pytest.raises(ValueError, match=r"^candidates has 2 entries for 3 completion tokens$"):
        CandidateRollout(*fields, candidates(2))
    short = logprobs([-1.0])
    with pytest.raises(ValueError, match=r"^teacher_logprobs has 1 entries for 3 completion"):
        CandidateRollout(*fields[:-1], short, candidates(3))


def test_a_row_with_candidates_travels_whole() -> None:
    ids = scored(1.0, length=3).rollout.completion_ids
    stream = logprobs([-1.0] * 3)
    row = CandidateRow(1, 0, ids, ids, stream, stream, 0.5, True, False, candidates(3))
    assert pickle.loads(pickle.dumps(row)) == row
    with pytest.raises(ValueError, match=r"^candidates has 4 entries for 3 completion tokens$"):
        CandidateRow(1, 0, ids, ids, stream, stream, 0.5, True, False, candidates(4))
