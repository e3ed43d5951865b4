"""The columns of a job's own record of rollouts, and rows of it."""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from rkd_online.store.columns import COLUMNS

RECORD: Final = pa.schema(
    [
        ("group_id", pa.int64()),
        ("index", pa.int64()),
        ("prompt_id", pa.string()),
        ("prompt_index", pa.int64()),
        ("split", pa.string()),
        ("task", pa.string()),
        ("difficulty", pa.string()),
        ("answer", pa.string()),
        ("prompt_ids", pa.list_(pa.int64())),
        ("completion_ids", pa.list_(pa.int64())),
        ("sampler_logprobs", pa.list_(pa.float32())),
        ("old_logprobs", pa.list_(pa.float32())),
        ("teacher_logprobs", pa.list_(pa.float32())),
        ("weight_versions", COLUMNS["weight_versions"].type),
        ("reward", pa.float64()),
        ("reward_parts", pa.map_(pa.string(), pa.float64())),
        ("correctness", pa.float64()),
        ("advantage", pa.float64()),
        ("correct", pa.bool_()),
        ("finish_reason", pa.string()),
        ("failure", pa.string()),
    ]
)


def record_table(columns: Mapping[str, Any]) -> pa.Table:
    """Rows of a record; a column that is not given is null in all of them."""
    rows = len(columns["group_id"])
    found = {name: columns.get(name, [None] * rows) for name in RECORD.names}
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, RECORD.field(name).type)
        for name, column in found.items()
    ]
    return pa.table(arrays, schema=RECORD)
