"""A step's scored rollouts as a Parquet file: the record that outlives the run."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from rkd_online.files import whole
from rkd_online.store.record import record_table
from rkd_online.store.rows import lists, rollout_columns
from rkd_online.types import ScoredGroup, TrainingBatch, UpdateResult


def write_rollouts(
    path: Path, groups: Sequence[ScoredGroup], batch: TrainingBatch, update: UpdateResult
) -> None:
    """One row per rollout, in the order of the groups. The file appears when it is whole."""
    with whole(path) as partial:
        parquet.write_table(rollout_table(groups, batch, update), partial, compression="zstd")


def rollout_table(
    groups: Sequence[ScoredGroup], batch: TrainingBatch, update: UpdateResult
) -> pa.Table:
    """The rollouts of one step, with nulls for what one lacks that could not be judged or of which
    nothing was learned.

    Raises ValueError where groups, batch and update do not fit.
    """
    _check_fit(groups, batch, update)
    places = {(row.group_id, row.index): place for place, row in enumerate(batch.rows)}
    learned = [
        places.get((group.group_id, one.rollout.index))
        for group in groups
        for one in group.rollouts
    ]
    rows = [None if place is None else batch.rows[place] for place in learned]
    old = [None if place is None else update.old_logprobs[place] for place in learned]
    return record_table(
        {
            **rollout_columns(groups),
            "old_logprobs": lists(old, np.float32),
            "advantage": [row and row.advantage for row in rows],
            "correct": [row and row.correct for row in rows],
        }
    )


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
