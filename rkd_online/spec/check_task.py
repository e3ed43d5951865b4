"""What can be known of a job's task before it is built."""

import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rkd_online.spec.invalid import suggestion
from rkd_online.spec.reasoning_gym import reasoning_gym_problems
from rkd_online.spec.task import FileTask, ReasoningGymTask, Task

FILE_SUFFIXES: Final = frozenset({".jsonl", ".parquet"})


def task_problems(task: Task) -> list[str]:
    """One line for each thing that is wrong with a task, each starting with its field."""
    if isinstance(task, FileTask):
        return [line for split in ("train", "validation", "test") for line in _file(task, split)]
    if isinstance(task, ReasoningGymTask) and find_spec("reasoning_gym") is not None:
        return list(reasoning_gym_problems(task))
    return []


def _file(task: FileTask, split: str) -> Iterator[str]:
    path: Path = getattr(task, split)
    if path.suffix not in FILE_SUFFIXES:
        yield f"task.{split}: {path} ends in {path.suffix!r}, should be .jsonl or .parquet"
    elif not path.is_absolute():
        yield f"task.{split}: {path} is a relative path: give an absolute one"
    elif not path.is_file():
        yield f"task.{split}: there is no file {path}"
    else:
        try:
            columns = _columns(path)
        except (OSError, ValueError) as error:
            yield f"task.{split}: cannot read {path}: {error}"
            return
        yield from _missing_columns(task, split, columns)


def _missing_columns(task: FileTask, split: str, columns: list[str] | None) -> Iterator[str]:
    wanted: Mapping[str, str | None] = {
        "prompt_field": task.prompt_field,
        "answer_field": task.answer_field,
        "difficulty_field": task.difficulty_field,
    }
    for setting, column in wanted.items():
        if columns is not None and column is not None and column not in columns:
            yield (
                f"task.{setting}: {getattr(task, split)} has no column {column!r}"
                f"{suggestion(column, columns)} (it has: {', '.join(columns)})"
            )


def _columns(path: Path) -> list[str] | None:
    """Columns, for JSONL those of the first record; None where they cannot be read here."""
    if path.suffix == ".jsonl":
        with path.open(encoding="utf-8") as lines:
            first = next(islice((line for line in lines if line.strip()), 1), None)
        return _keys(first)
    if find_spec("pyarrow") is None:
        return None
    import pyarrow.parquet

    return list(pyarrow.parquet.read_schema(path).names)


def _keys(line: str | None) -> list[str]:
    if line is None:
        raise ValueError("it is empty")
    record: Any = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError(f"its first record is a {type(record).__name__} instead of an object")
    return list(record)
