import dataclasses
import random
from dataclasses import replace
from typing import Literal

import pytest

from rkd_online.batching.assemble import assemble, oldest_version
from rkd_online.errors import TaskError
from rkd_online.spec.algorithm import Algorithm, Grpo, Hdpo, Opd
from rkd_online.types import (
    CandidateRollout,
    CandidateRow,
    Candidates,
    ScoredGroup,
    ScoredRollout,
    TrainingBatch,
    TrainingRow,
    Turn,
    UnjudgedRollout,
    candidate_ids,
    logprobs,
)
from tests.unit.batching.scored import group, scored

# Mean 0.25, population deviation sqrt(3) / 4; the second group is equal and has no signal.
GROUPS = [
    group(3, *(scored(reward, index=i) for i, reward in enumerate([1.0, 0.0, 0.0, 0.0]))),
    group(5, *(scored(0.7, index=i) for i in range(4))),
    group(9, scored(2.0, index=0), scored(0.0, index=1)),
]


def assembled(
    groups: list[ScoredGroup],
    correct_at: float = 1.0,
    algorithm: Algorithm | None = None,
    truncated: Literal["learn", "mask"] = "learn",
) -> TrainingBatch:
    return assemble(
        groups,
        step=5,
        temperature=0.7,
        algorithm=algorithm or Grpo(),
        turn=Turn(phase=1, done=3),
        correct_at=correct_at,
        truncated=truncated,
    )


def test_advantages_are_relative_to_the_group() -> None:
    batch = assembled(GROUPS)
    by_hand = [
        *[0.75 / (3**0.5 / 4 + 1e-6), *[-0.25 / (3**0.5 / 4 + 1e-6)] * 3],
        *[0.0] * 4,
        *[1 / (1 + 1e-6), -1 / (1 + 1e-6)],
    ]
    found = [row.advantage for row in batch.rows]
    assert found == pytest.approx(by_hand, abs=1e-12)
    assert found[4:8] == [0.0] * 4
    assert (batch.step, batch.temperature, batch.turn) == (5, 0.7, Turn(phase=1, done=3))


def test_a_row_keeps_what_its_rollout_was() -> None:
    row = assembled(GROUPS).rows[1]
    assert row.group_id == 3
    assert row.prompt_ids.tolist() == [3, 1, 2]
    assert row.completion_ids.tolist() == [10, 11]
    assert row.sampler_logprobs.tolist() == [-0.5, -0.5]
    assert row.teacher_logprobs is not None
    assert row.teacher_logprobs.tolist() == [-0.25, -0.25]


def test_candidates_of_a_rollout_are_those_of_its_row() -> None:
    plain = scored(1.0)
    ids = candidate_ids([5, 6, 7, 8])
    found = Candidates(2, ids, logprobs([-1.0] * 4), logprobs([-2.0] * 2))
    fields = {one.name: getattr(plain, one.name) for one in dataclasses.fields(plain)}
    rows = assembled([group(3, CandidateRollout(**fields, candidates=found), scored(0.0))]).rows
    assert isinstance(rows[0], CandidateRow)
    assert rows[0].candidates is found
    assert type(rows[1]) is TrainingRow
    same = assembled([group(3, plain, scored(0.0))]).rows[0]
    assert dataclasses.asdict(rows[0]) == dataclasses.asdict(same) | {
        "candidates": dataclasses.asdict(found)
    }


def test_the_order_of_arrival_does_not_matter() -> None:
    arrived = list(GROUPS)
    random.Random(1).shuffle(arrived)
    assert [one.group_id for one in arrived] != [3, 5, 9]
    assert assembled(arrived) == assembled(GROUPS)


def test_the_oldest_version_is_that_of_any_token() -> None:
    groups = [
        group(0, scored(1.0, versions=(6,)), scored(0.0, versions=(4, 5))),
        group(1, scored(1.0, versions=(5, 6))),
    ]
    assert oldest_version(groups) == 4
    assert assembled(groups).oldest_version == 4


def test_a_rollout_is_correct_from_correct_at_on_whatever_its_reward() -> None:
    parts = [scored(9.0, correctness=share) for share in (0.0, 0.49, 0.5, 1.0)]
    batch = assembled([group(0, *parts)], correct_at=0.5)
    assert [row.correct for row in batch.rows] == [False, False, True, True]


def test_without_a_scale_advantages_are_distances_from_the_groups_mean() -> None:
    found = [
        row.advantage for row in assembled(GROUPS, algorithm=Grpo(advantage_scale="none")).rows
    ]
    assert found[:4] == [0.75, -0.25, -0.25, -0.25]
    assert found[4:8] == [0.0] * 4
    assert found[8:] == [1.0, -1.0]


def test_epsilon_is_the_algorithms_and_one_without_reward_has_the_usual_for_the_record() -> None:
    wide = assembled(GROUPS[2:], algorithm=Hdpo(advantage_epsilon=1.0))
    assert [row.advantage for row in wide.rows] == [0.5, -0.5]
    for_the_record = assembled(GROUPS[2:], algorithm=Opd())
    assert [row.advantage for row in for_the_record.rows] == pytest.approx([1.0, -1.0], abs=1e-5)


def test_a_group_is_wrong_when_none_of_its_rollouts_is_correct() -> None:
    groups = [
        group(0, scored(9.0, correctness=0.0), scored(0.0, correctness=0.99)),
        group(1, scored(0.0, correctness=0.0), scored(0.0, correctness=1.0)),
    ]
    assert [row.group_wrong for row in assembled(groups).rows] == [True, True, False, False]
    lenient = assembled(groups, correct_at=0.9)
    assert [row.group_wrong for row in lenient.rows] == [False, False, False, False]


def test_a_rollout_without_a_reward_is_no_part_of_its_group() -> None:
    lost = UnjudgedRollout(scored(5.0, index=1, correctness=1.0).rollout, "crash", "", None)
    alone = group(7, lost)
    batch = assembled([ScoredGroup(3, alone.prompt, (*GROUPS[2].rollouts, lost)), alone])
    assert [row.completion_ids.tolist() for row in batch.rows] == [[0, 1], [10, 11]]
    assert [row.advantage for row in batch.rows] == pytest.approx([1.0, -1.0], abs=1e-5)
    assert [row.group_wrong for row in batch.rows] == [True, True]


def test_rows_have_teacher_log_probs_all_or_none() -> None:
    taught, plain = scored(1.0), replace(scored(0.0, index=1), teacher_logprobs=None)
    batch = assembled([group(0, taught), group(1, plain)])
    assert [row.teacher_logprobs for row in batch.rows] == [None, None]


def test_nothing_is_learned_of_masked_rollouts_and_their_rewards_count() -> None:
    cut = scored(0.0, index=1, finish="length")
    groups = [group(1, scored(1.0, index=0), cut), group(2, replace_index(cut))]
    whole, masked = assembled(groups), assembled(groups, truncated="mask")
    assert [(row.group_id, row.index) for row in whole.rows] == [(1, 0), (1, 1), (2, 0)]
    assert masked.rows == whole.rows[:1]
    assert masked.rows[0].advantage == pytest.approx(1.0, abs=1e-5)


def replace_index(one: ScoredRollout) -> ScoredRollout:
    return replace(one, rollout=replace(one.rollout, index=0))


def test_a_step_of_which_nothing_could_be_judged_is_an_error() -> None:
    rollout = scored(0.0).rollout
    lost = UnjudgedRollout(rollout, "timeout", "reward slow took longer than 10 s", None)
    with pytest.raises(TaskError) as caught:
        assembled([group(1, lost, lost), group(2, lost)])
    assert str(caught.value) == (
        "step 5: none of its 3 rollouts could be judged; the first failed by timeout: reward slow "
        "took longer than 10 s"
    )
