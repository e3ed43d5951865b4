import random

import pytest

from rkd_online.batching.assemble import assemble, oldest_version
from rkd_online.spec.algorithm import Grpo
from rkd_online.types import ScoredGroup, TrainingBatch
from tests.unit.batching.scored import group, scored

# Mean 0.25, population deviation sqrt(3) / 4; the second group is equal and has no signal.
GROUPS = [
    group(3, *(scored(reward, index=i) for i, reward in enumerate([1.0, 0.0, 0.0, 0.0]))),
    group(5, *(scored(0.7, index=i) for i in range(4))),
    group(9, scored(2.0, index=0), scored(0.0, index=1)),
]


def assembled(groups: list[ScoredGroup], correct_at: float = 1.0) -> TrainingBatch:
    return assemble(groups, step=5, temperature=0.7, algorithm=Grpo(), correct_at=correct_at)


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
    assert (batch.step, batch.temperature) == (5, 0.7)


def test_a_row_keeps_what_its_rollout_was() -> None:
    row = assembled(GROUPS).rows[1]
    assert row.group_id == 3
    assert row.prompt_ids.tolist() == [3, 1, 2]
    assert row.completion_ids.tolist() == [10, 11]
    assert row.sampler_logprobs.tolist() == [-0.5, -0.5]
    assert row.teacher_logprobs is not None
    assert row.teacher_logprobs.tolist() == [-0.25, -0.25]


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
