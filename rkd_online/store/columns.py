"""The columns of a store: one row per rollout, in types that any reader of Parquet knows."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import pyarrow as pa


class Column(NamedTuple):
    """A column's type, and what it holds."""

    type: pa.DataType
    words: str


_TOKENS: Final = pa.list_(pa.int32())
_LOGPROBS: Final = pa.list_(pa.float32())
_SPAN: Final = pa.struct([("version", pa.int64()), ("start", pa.int64()), ("end", pa.int64())])
_PART: Final = pa.struct([("part", pa.string()), ("value", pa.float64())])

COLUMNS: Final[Mapping[str, Column]] = {
    "step": Column(pa.int64(), "the step that learned from it; 0 where no job did"),
    "group_id": Column(pa.int64(), "the prompt's group; its siblings have the same"),
    "index": Column(pa.int64(), "the place among its siblings, from 0"),
    "prompt_id": Column(pa.string(), "the problem: split, number and a digest of its text"),
    "prompt_index": Column(pa.int64(), "the problem's number in its split"),
    "split": Column(pa.string(), "the task's split that the problem is of"),
    "task": Column(pa.string(), "the task's name"),
    "difficulty": Column(pa.string(), "the problem's difficulty group"),
    "answer": Column(pa.string(), "the reference answer"),
    "prompt": Column(pa.string(), "the prompt as text, special tokens included"),
    "prompt_ids": Column(_TOKENS, "the prompt as tokens"),
    "completion": Column(pa.string(), "the completion as text, special tokens included"),
    "completion_ids": Column(_TOKENS, "the completion as tokens, its end token last"),
    "sampler_logprobs": Column(_LOGPROBS, "of each completion token, as the engine sampled it"),
    "old_logprobs": Column(
        _LOGPROBS, "under the policy before the update; null where nothing was learned"
    ),
    "teacher_logprobs": Column(_LOGPROBS, "under the teacher; null without one"),
    "weight_versions": Column(pa.list_(_SPAN), "which weights sampled which tokens"),
    "reward": Column(pa.float64(), "the weighted sum of the parts; null where not judged"),
    "reward_parts": Column(pa.list_(_PART), "each part of the reward before its weight"),
    "correctness": Column(pa.float64(), "the verifier's part, 0 to 1"),
    "correct": Column(pa.bool_(), "whether that is enough to count as correct"),
    "advantage": Column(
        pa.float64(), "relative to the group; null where nothing was learned from it"
    ),
    "finish_reason": Column(pa.string(), "stop, or length where it was cut at the token limit"),
    "failure": Column(
        pa.string(), "why it could not be judged: the cause and what happened; null where it was"
    ),
}
SCHEMA: Final = pa.schema([(name, column.type) for name, column in COLUMNS.items()])


def store_table(
    rows: pa.Table, *, step: int, correct_at: float, decode: Callable[[list[int]], str]
) -> pa.Table:
    """Rows of a job's record, or of one that ``rollout_columns`` made, with what a store has beside
    them: ``step``, texts and the verdict.

    Raises KeyError for a column that the record lacks.
    """
    judged = rows["correctness"].to_pylist()
    found: dict[str, Any] = {
        "step": [step] * len(rows),
        "prompt": _texts(rows["prompt_ids"], decode),
        "completion": _texts(rows["completion_ids"], decode),
        "reward_parts": [_parts(one) for one in rows["reward_parts"].to_pylist()],
        "correct": [None if one is None else one >= correct_at for one in judged],
    }
    arrays = [
        pa.array(found[name], column.type) if name in found else rows[name].cast(column.type)
        for name, column in COLUMNS.items()
    ]
    return pa.table(arrays, schema=SCHEMA)


def _texts(tokens: pa.ChunkedArray, decode: Callable[[list[int]], str]) -> list[str]:
    """Siblings have one prompt, so equal neighbours are decoded once."""
    texts: list[str] = []
    before: list[int] | None = None
    for ids in tokens.to_pylist():
        texts.append(texts[-1] if ids == before else decode(ids))
        before = ids
    return texts


def _parts(parts: list[tuple[str, float]] | None) -> list[dict[str, Any]] | None:
    """Data set libraries know lists of records, not maps."""
    return None if parts is None else [{"part": name, "value": value} for name, value in parts]
