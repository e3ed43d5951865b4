"""The Parquet file of a step, read back."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from rkd_online.run.rollout_table import write_rollouts
from rkd_online.types import (
    PromptItem,
    Rollout,
    ScoredGroup,
    ScoredRollout,
    TrainingBatch,
    TrainingRow,
    UnjudgedRollout,
    UpdateResult,
    VersionSpan,
    logprobs,
    token_ids,
)


def group(group_id: int, *, taught: bool = True) -> ScoredGroup:
    """Two siblings: [group, 8, 9] of versions 4 and 5, and [group] of version 5."""
    prompt = PromptItem(f"p{group_id}", "train", group_id, token_ids([1, 2]), "3", "sum", "easy")
    spans = ((VersionSpan(4, 0, 1), VersionSpan(5, 1, 3)), (VersionSpan(5, 0, 1),))
    rollouts = []
    for index, ids in enumerate(([group_id, 8, 9], [group_id])):
        sampled = logprobs([-0.5] * len(ids))
        rollout = Rollout(index, token_ids(ids), sampled, spans[index], ("stop", "length")[index])
        taught_logprobs = logprobs([-0.25] * len(ids)) if taught else None
        parts = {"verifier": float(index), "finished": 1.0 - index}
        rollouts.append(ScoredRollout(rollout, 0.5, parts, float(index), taught_logprobs))
    return ScoredGroup(group_id, prompt, tuple(rollouts))


def batch_of(*groups: ScoredGroup) -> TrainingBatch:
    rows = [
        TrainingRow(
            group.group_id, one.rollout.index, group.prompt.token_ids, one.rollout.completion_ids,
            one.rollout.sampler_logprobs, one.teacher_logprobs, 0.125 - one.rollout.index,
            one.correctness >= 1, group_wrong=False,
        )
        for group in groups for one in group.judged
    ]  # fmt: skip
    return TrainingBatch(6, tuple(rows), 1.0, 4)


def update_of(batch: TrainingBatch) -> UpdateResult:
    old = tuple(logprobs([-0.75] * len(row.completion_ids)) for row in batch.rows)
    return UpdateResult(6, {}, old)


def test_every_column_comes_back_as_it_was(tmp_path: Path) -> None:
    groups = (group(11), group(12))
    path = tmp_path / "rollouts" / "step-000006.parquet"
    write_rollouts(path, groups, batch_of(*groups), update_of(batch_of(*groups)))
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    rows = parquet.read_table(path).to_pylist()
    assert [(row["group_id"], row["index"]) for row in rows] == [(11, 0), (11, 1), (12, 0), (12, 1)]
    assert rows[2] == {
        "group_id": 12,
        "index": 0,
        "prompt_id": "p12",
        "prompt_index": 12,
        "split": "train",
        "task": "sum",
        "difficulty": "easy",
        "answer": "3",
        "prompt_ids": [1, 2],
        "completion_ids": [12, 8, 9],
        "sampler_logprobs": [-0.5, -0.5, -0.5],
        "old_logprobs": [-0.75, -0.75, -0.75],
        "teacher_logprobs": [-0.25, -0.25, -0.25],
        "weight_versions": [
            {"version": 4, "start": 0, "end": 1},
            {"version": 5, "start": 1, "end": 3},
        ],
        "reward": 0.5,
        "reward_parts": [("verifier", 0.0), ("finished", 1.0)],
        "correctness": 0.0,
        "advantage": 0.125,
        "correct": False,
        "finish_reason": "stop",
        "failure": None,
    }


def test_a_job_without_a_teacher_has_nulls_in_the_same_schema(tmp_path: Path) -> None:
    taught, alone = tmp_path / "taught.parquet", tmp_path / "alone.parquet"
    for path, one in ((taught, group(1)), (alone, group(1, taught=False))):
        write_rollouts(path, [one], batch_of(one), update_of(batch_of(one)))
    table = parquet.read_table(alone)
    assert table.schema == parquet.read_schema(taught)
    assert table.schema.field("teacher_logprobs").type == pa.list_(pa.float32())
    assert table["teacher_logprobs"].to_pylist() == [None, None]


def test_a_rollout_that_could_not_be_judged_has_its_cause_and_nulls(tmp_path: Path) -> None:
    """The rows of the batch are those of its siblings alone."""
    first, second = group(11), group(12)
    lost = UnjudgedRollout(
        first.rollouts[0].rollout, "crash", "own: it ended", first.rollouts[0].teacher_logprobs
    )
    groups = [replace(first, rollouts=(lost, first.rollouts[1])), second]
    batch = batch_of(*groups)
    assert len(batch.rows) == 3
    write_rollouts(tmp_path / "x", groups, batch, update_of(batch))
    rows = parquet.read_table(tmp_path / "x").to_pylist()
    unknown = ("old_logprobs", "reward", "reward_parts", "correctness", "advantage", "correct")
    assert {name for name, value in rows[0].items() if value is None} == set(unknown)
    assert rows[0]["failure"] == "crash: own: it ended"
    assert rows[0]["completion_ids"] == [11, 8, 9]
    assert rows[0]["teacher_logprobs"] == [-0.25, -0.25, -0.25]
    assert [row["advantage"] for row in rows] == [None, -0.875, 0.125, -0.875]
    assert [row["old_logprobs"] for row in rows[1:]] == [[-0.75], [-0.75] * 3, [-0.75]]
    assert [row["failure"] for row in rows[1:]] == [None] * 3


def test_groups_with_and_without_teacher_logprobs_keep_their_own(tmp_path: Path) -> None:
    groups = [group(1), group(2, taught=False), group(3)]
    batch = batch_of(*groups)
    write_rollouts(tmp_path / "x", groups, batch, update_of(batch))
    rows = parquet.read_table(tmp_path / "x").to_pylist()
    taught = [[-0.25] * 3, [-0.25]]
    assert [row["teacher_logprobs"] for row in rows] == [*taught, None, None, *taught]


def test_a_rollout_of_which_nothing_was_learned_has_its_reward_and_no_old_log_probs(
    tmp_path: Path,
) -> None:
    whole = batch_of(group(1), group(2))
    batch = replace(whole, rows=whole.rows[1:])
    write_rollouts(tmp_path / "x", [group(1), group(2)], batch, update_of(batch))
    rows = parquet.read_table(tmp_path / "x").to_pylist()
    assert [row["reward"] for row in rows] == [0.5] * 4
    assert [row["advantage"] for row in rows] == [None, -0.875, 0.125, -0.875]
    assert [row["old_logprobs"] for row in rows] == [None, [-0.75], [-0.75] * 3, [-0.75]]


def test_a_batch_with_rows_of_other_groups_is_refused(tmp_path: Path) -> None:
    batch = batch_of(group(1), group(2))
    with pytest.raises(ValueError, match="the rows of step 6 are not of its groups"):
        write_rollouts(tmp_path / "x", [group(1)], batch, update_of(batch))
    assert list(tmp_path.iterdir()) == []


def test_old_log_probs_of_other_lengths_are_refused(tmp_path: Path) -> None:
    batch = batch_of(group(1))
    update = replace(update_of(batch), old_logprobs=(logprobs([-1, -1]), logprobs([-1, -1])))
    with pytest.raises(ValueError, match=r"old_logprobs of step 6 are not aligned .*\[2, 2\]"):
        write_rollouts(tmp_path / "x", [group(1)], batch, update)
