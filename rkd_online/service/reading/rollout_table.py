"""One step's rollouts out of its Parquet file, a few rows at a time.

The control plane starts and runs without pyarrow, so nothing here imports it before somebody asks
for a rollout.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Final

from rkd_online.service.web.problems import ApiError

ROWS_AT_ONCE: Final = 256
TOKEN_ROWS_AT_ONCE: Final = 16
"""Where all log-probs of long completions come along."""
BUFFER_BYTES: Final = 1 << 20
"""Of each column, which is read in parts: a step is one row group, however large."""

PLAIN: Final = (
    "index", "prompt_id", "task", "difficulty", "answer", "reward", "correctness", "correct",
    "advantage", "finish_reason", "failure",
)  # fmt: skip
LISTED: Final = ("group_id", *PLAIN, "reward_parts", "prompt_ids", "weight_versions")
STREAMS: Final = (
    "prompt_ids", "completion_ids", "sampler_logprobs", "old_logprobs", "teacher_logprobs",
    "weight_versions",
)  # fmt: skip
TEXTS: Final = ("prompt", "completion")
"""In a record that was written with its texts."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rollouts a list has: those that match every part that is given."""

    step: int | None = None
    group: int | None = None
    min_reward: float | None = None
    max_reward: float | None = None
    correct: bool | None = None
    task: str | None = None

    def has_step(self, step: int) -> bool:
        """Whether rollouts of this step can match."""
        return self.step in (None, step)


@dataclass(frozen=True, slots=True)
class Batch:
    """What matches of some rows, one at a time; how many they are; group and place of the last."""

    rows: Iterator[dict[str, Any]]
    looked: int
    last: tuple[int, int]


def require_pyarrow() -> None:
    """Raise ApiError where it is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError as error:
        raise ApiError(
            501,
            "rollouts_need_pyarrow",
            "reading rollouts needs pyarrow, which the base install leaves out: install it beside "
            "the control plane, by itself or with the extra `rollouts` of rkd-online, and start "
            "again",
        ) from error


@contextmanager
def opened(path: Path) -> "Iterator[RolloutTable]":
    """The rollouts of one step. Raises ApiError where the file, or one of its rows, cannot be
    read."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        # Buffered ahead, whole columns of the step would be held.
        with parquet.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
            yield RolloutTable(file)
    except (pa.ArrowException, OSError, MissingColumn) as error:
        raise ApiError(500, "unreadable_rollouts", f"{path} cannot be read: {error}") from error


class MissingColumn(Exception):
    """A record of another version."""

    def __init__(self, name: str) -> None:
        super().__init__(f"it has no column {name!r}, so another version of rkd wrote it")


class RolloutTable:
    """An open file."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def batches(self, wanted: Wanted, after: tuple[int, int] | None) -> Iterator[Batch]:
        """What matches behind group and place ``after``; rows before that were looked at before."""
        if not self._may_match(wanted):
            return
        for batch in self._read(LISTED, ROWS_AT_ONCE):
            behind = batch if after is None else batch.filter(_behind(batch, *after))
            if len(behind) == 0:
                continue
            found = behind.filter(_mask(behind, wanted))
            last = behind.slice(len(behind) - 1)
            place = (last["group_id"][0].as_py(), last["index"][0].as_py())
            yield Batch(_rows(found, without_prompt=True), len(behind), place)

    def find(self, group: int, index: int) -> dict[str, Any] | None:
        """One rollout with its tokens."""
        from pyarrow import compute

        wanted = Wanted(group=group)
        if not self._may_match(wanted):
            return None
        for batch in self._read((*LISTED, *STREAMS), TOKEN_ROWS_AT_ONCE):
            mask = compute.and_(_mask(batch, wanted), compute.equal(batch["index"], index))
            for row in _rows(batch.filter(mask), without_prompt=False):
                return row
        return None

    def _read(self, names: tuple[str, ...], rows: int) -> Iterator[Any]:
        there = self._file.schema_arrow.names
        if missing := [name for name in names if name not in there]:
            raise MissingColumn(missing[0])
        texts = [name for name in TEXTS if name in there]
        columns = list(dict.fromkeys([*names, *texts]))
        yield from self._file.iter_batches(batch_size=rows, columns=columns, use_threads=False)

    def _may_match(self, wanted: Wanted) -> bool:
        """Whether the file's statistics leave room for what is wanted, before any row is read."""
        metadata = self._file.metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        bounds = {
            "group_id": (wanted.group, wanted.group),
            "task": (wanted.task, wanted.task),
            "reward": (wanted.min_reward, wanted.max_reward),
        }
        for place in range(metadata.num_columns):
            low, high = bounds.get(metadata.schema.column(place).path, (None, None))
            if not any(_overlaps(group.column(place).statistics, low, high) for group in groups):
                return False
        return True


def _overlaps(statistics: Any, low: Any, high: Any) -> bool:
    if statistics is None or not statistics.has_min_max:
        return True
    return (low is None or statistics.max >= low) and (high is None or statistics.min <= high)


def _behind(batch: Any, group: int, index: int) -> Any:
    """Which rows stand behind this group and place."""
    from pyarrow import compute

    of_group = compute.equal(batch["group_id"], group)
    sibling = compute.and_(of_group, compute.greater(batch["index"], index))
    return compute.or_(compute.greater(batch["group_id"], group), sibling)


def _mask(batch: Any, wanted: Wanted) -> Any:
    """Which rows match; a null matches nothing."""
    import pyarrow as pa
    from pyarrow import compute

    found = [pa.array([True] * len(batch))]
    if wanted.group is not None:
        found.append(compute.equal(batch["group_id"], wanted.group))
    if wanted.task is not None:
        found.append(compute.equal(batch["task"], wanted.task))
    if wanted.correct is not None:
        found.append(compute.equal(batch["correct"], wanted.correct))
    if wanted.min_reward is not None:
        found.append(compute.greater_equal(batch["reward"], wanted.min_reward))
    if wanted.max_reward is not None:
        found.append(compute.less_equal(batch["reward"], wanted.max_reward))
    return reduce(compute.and_, found)


def _rows(batch: Any, *, without_prompt: bool) -> Iterator[dict[str, Any]]:
    from pyarrow import compute

    counted = batch.append_column("prompt_tokens", compute.list_value_length(batch["prompt_ids"]))
    if without_prompt:
        counted = counted.drop_columns(["prompt_ids"])
    for place in range(len(counted)):
        yield counted.slice(place, 1).to_pylist()[0]
