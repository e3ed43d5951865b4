"""A step's scored rollouts as a Parquet file: the record that outlives the run."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from rkd_online.types import (
    Logprobs,
    Rollout,
    ScoredGroup,
    ScoredRollout,
    TokenIds,
    TrainingBatch,
    UnjudgedRollout,
    UpdateResult,
)

T = TypeVar("T")

SCHEMA = pa.schema(
    [
        ("group_id", pa.int64()),
        ("index", pa.int64()),
        ("prompt_id", pa.string()),
        ("task", pa.string()),
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
        ("failure", pa.string()),
    ]
)


def write_rollouts(
    path: Path, groups: Sequence[ScoredGroup], batch: TrainingBatch, update: UpdateResult
) -> None:
    """One row per rollout, in the order of the groups. The file appears when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    parquet.write_table(rollout_table(groups, batch, update), partial, compression="zstd")
    os.replace(partial, path)


def rollout_table(
    groups: Sequence[ScoredGroup], batch: TrainingBatch, update: UpdateResult
) -> pa.Table:
    """The rollouts of one step, with nulls for what one lacks that could not be judged or of which
    nothing was learned.

    Raises ValueError where groups, batch and update do not fit.
    """
    _check_fit(groups, batch, update)
    prompts = [group.prompt for group in groups for _ in group.rollouts]
    ones = [one for group in groups for one in group.rollouts]
    rollouts = [one.rollout for one in ones]
    judged = [one if isinstance(one, ScoredRollout) else None for one in ones]
    places = {(row.group_id, row.index): place for place, row in enumerate(batch.rows)}
    learned = [
        places.get((group.group_id, one.rollout.index))
        for group in groups
        for one in group.rollouts
    ]
    rows = [None if place is None else batch.rows[place] for place in learned]
    old = [None if place is None else update.old_logprobs[place] for place in learned]
    columns = {
        "group_id": [group.group_id for group in groups for _ in group.rollouts],
        "index": [rollout.index for rollout in rollouts],
        "prompt_id": [prompt.id for prompt in prompts],
        "task": [prompt.task for prompt in prompts],
        "prompt_ids": _lists([prompt.token_ids for prompt in prompts], np.int64),
        "completion_ids": _lists([rollout.completion_ids for rollout in rollouts], np.int64),
        "sampler_logprobs": _lists([rollout.sampler_logprobs for rollout in rollouts], np.float32),
        "old_logprobs": _lists(old, np.float32),
        "teacher_logprobs": _lists([one.teacher_logprobs for one in ones], np.float32),
        "weight_versions": [_versions(rollout) for rollout in rollouts],
        "reward": [one and one.reward for one in judged],
        "reward_parts": [one and list(one.reward_parts.items()) for one in judged],
        "advantage": [row and row.advantage for row in rows],
        "correct": [row and row.correct for row in rows],
        "finish_reason": [rollout.finish_reason for rollout in rollouts],
        "failure": [_failure(one) for one in ones],
    }
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, SCHEMA.field(name).type)
        for name, column in columns.items()
    ]
    return pa.table(arrays, schema=SCHEMA)


def _check_fit(groups: Sequence[ScoredGroup], batch: TrainingBatch, update: UpdateResult) -> None:
    found = {
        (group.group_id, one.rollout.index): one.rollout.completion_ids
        for group in groups
        for one in group.judged
    }
    if any(found.get((row.group_id, row.index)) != row.completion_ids for row in batch.rows):
        raise ValueError(f"the rows of step {batch.step} are not of its groups")
    old = [len(stream) for stream in update.old_logprobs]
    if old != [len(row.completion_ids) for row in batch.rows]:
        raise ValueError(f"old_logprobs of step {batch.step} are not aligned with its rows: {old}")


def _versions(rollout: Rollout) -> list[dict[str, int]]:
    return [
        {"version": span.version, "start": span.start, "end": span.end}
        for span in rollout.version_spans
    ]


def _failure(one: ScoredRollout | UnjudgedRollout) -> str | None:
    return f"{one.cause}: {one.detail}" if isinstance(one, UnjudgedRollout) else None


def _lists(
    streams: Sequence[TokenIds | None] | Sequence[Logprobs | None], dtype: type[np.generic]
) -> pa.ListArray:
    """Streams as one list column, without a loop over their elements; None is null."""
    arrays = [np.frombuffer(stream or b"", dtype=dtype) for stream in streams]
    offsets = np.cumsum([0, *(len(one) for one in arrays)], dtype=np.int32)
    nulls = pa.array([stream is None for stream in streams])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(arrays)), mask=nulls)
