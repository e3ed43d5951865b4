"""A step's scored rollouts as a Parquet file: the record that outlives the run."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from rkd_online.types import (
    Logprobs,
    ScoredGroup,
    ScoredRollout,
    TokenIds,
    TrainingBatch,
    UpdateResult,
)

SCHEMA = pa.schema(
    [
        ("group_id", pa.int64()),
        ("index", pa.int64()),
        ("prompt_id", pa.string()),
        ("prompt_ids", pa.list_(pa.int64())),
        ("completion_ids", pa.list_(pa.int64())),
        ("sampler_logprobs", pa.list_(pa.float32())),
        ("old_logprobs", pa.list_(pa.float32())),
        ("teacher_logprobs", pa.list_(pa.float32())),
        (
            "weight_versions",
            pa.list_(
                pa.struct([("version", pa.int64()), ("start", pa.int64()), ("end", pa.int64())])
            ),
        ),
        ("reward", pa.float64()),
        ("reward_parts", pa.map_(pa.string(), pa.float64())),
        ("advantage", pa.float64()),
        ("correct", pa.bool_()),
        ("finish_reason", pa.string()),
    ]
)


def write_rollouts(
    path: Path, groups: Sequence[ScoredGroup], batch: TrainingBatch, update: UpdateResult
) -> None:
    """One row per rollout, in the order of the batch's rows. The file appears when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    parquet.write_table(rollout_table(groups, batch, update), partial, compression="zstd")
    os.replace(partial, path)


def rollout_table(
    groups: Sequence[ScoredGroup], batch: TrainingBatch, update: UpdateResult
) -> pa.Table:
    """The rollouts of one step. Raises ValueError where groups, batch and update do not fit."""
    scored = [(group, one) for group in groups for one in group.rollouts]
    found = [(group.group_id, one.rollout.completion_ids) for group, one in scored]
    if found != [(row.group_id, row.completion_ids) for row in batch.rows]:
        raise ValueError(f"the groups of step {batch.step} are not the rows of its batch")
    old = [len(stream) for stream in update.old_logprobs]
    if old != [len(row.completion_ids) for row in batch.rows]:
        raise ValueError(f"old_logprobs of step {batch.step} are not aligned with its rows: {old}")
    ones = [one for _, one in scored]
    rollouts = [one.rollout for one in ones]
    columns = {
        "group_id": pa.array([group.group_id for group, _ in scored], pa.int64()),
        "index": pa.array([rollout.index for rollout in rollouts], pa.int64()),
        "prompt_id": pa.array([group.prompt.id for group, _ in scored], pa.string()),
        "prompt_ids": _lists([group.prompt.token_ids for group, _ in scored], np.int64),
        "completion_ids": _lists([rollout.completion_ids for rollout in rollouts], np.int64),
        "sampler_logprobs": _lists([rollout.sampler_logprobs for rollout in rollouts], np.float32),
        "old_logprobs": _lists(update.old_logprobs, np.float32),
        "teacher_logprobs": _teacher(ones),
        "weight_versions": pa.array(
            [
                [
                    {"version": span.version, "start": span.start, "end": span.end}
                    for span in rollout.version_spans
                ]
                for rollout in rollouts
            ],
            SCHEMA.field("weight_versions").type,
        ),
        "reward": pa.array([one.reward for one in ones], pa.float64()),
        "reward_parts": pa.array(
            [list(one.reward_parts.items()) for one in ones], SCHEMA.field("reward_parts").type
        ),
        "advantage": pa.array([row.advantage for row in batch.rows], pa.float64()),
        "correct": pa.array([row.correct for row in batch.rows], pa.bool_()),
        "finish_reason": pa.array([rollout.finish_reason for rollout in rollouts], pa.string()),
    }
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _teacher(ones: Sequence[ScoredRollout]) -> pa.Array:
    """All null in a job without a teacher."""
    streams = [one.teacher_logprobs for one in ones if one.teacher_logprobs is not None]
    if not streams:
        return pa.nulls(len(ones), SCHEMA.field("teacher_logprobs").type)
    return _lists(streams, np.float32)


def _lists(
    streams: Iterable[TokenIds] | Iterable[Logprobs], dtype: type[np.generic]
) -> pa.ListArray:
    """Streams as one list column, without a loop over their elements."""
    arrays = [np.frombuffer(stream, dtype=dtype) for stream in streams]
    offsets = np.cumsum([0, *(len(one) for one in arrays)], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(arrays)))
