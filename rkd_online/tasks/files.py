"""Prompts with reference answers from JSONL or Parquet files, one file per split."""

import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from rkd_online.errors import TaskError
from rkd_online.spec.task import FileTask
from rkd_online.tasks.base import Message, Problem
from rkd_online.tasks.match import reference_problem
from rkd_online.types import Split

ROLES: Final = frozenset({"system", "user", "assistant"})


class Files:
    """Three files, read whole when the task is built; no prompt may stand in two of them."""

    name = "file"

    def __init__(self, task: FileTask) -> None:
        if task.match == "math" and find_spec("math_verify") is None:
            raise TaskError(
                "task.match 'math' needs the package math-verify: install it on every machine of "
                "the job"
            )
        paths: dict[Split, Path] = {
            "train": task.train,
            "validation": task.validation,
            "test": task.test,
        }
        self._problems = {split: _read(task, split, path) for split, path in paths.items()}
        _check_disjoint(self._problems, paths)

    def size(self, split: Split) -> int:
        """Number of problems in a split."""
        return len(self._problems[split])

    def problem(self, split: Split, index: int) -> Problem:
        """The problem in line ``index`` of the split's file, blank lines not counted."""
        return self._problems[split][index]


def _read(task: FileTask, split: Split, path: Path) -> list[Problem]:
    problems = [
        _problem(task, split, index, record, where)
        for index, (where, record) in enumerate(_records(path))
    ]
    if not problems:
        raise TaskError(f"task.{split}: {path} has no prompts")
    return problems


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every record with the place to name in messages."""
    if path.suffix == ".parquet":
        yield from _parquet_records(path)
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield (
                    f"{path}, line {number}",
                    _json_record(f"{path}, line {number}", line),
                )


def _parquet_records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import pyarrow.parquet

    for number, record in enumerate(pyarrow.parquet.read_table(path).to_pylist(), start=1):
        yield f"{path}, row {number}", record


def _json_record(where: str, line: str) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise TaskError(f"{where} is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise TaskError(f"{where} is a {type(record).__name__} instead of an object")
    return record


def _problem(
    task: FileTask, split: Split, index: int, record: Mapping[str, Any], where: str
) -> Problem:
    difficulty = "all"
    if task.difficulty_field is not None:
        difficulty = str(_field(record, task.difficulty_field, where))
    problem = Problem(
        split=split,
        index=index,
        messages=_messages(_field(record, task.prompt_field, where), where),
        answer=str(_field(record, task.answer_field, where)),
        difficulty=difficulty,
        task=Files.name,
        record=record,
    )
    wrong = reference_problem(task.match, problem.answer)
    if wrong is not None:
        raise TaskError(f"{where}: {wrong}")
    return problem


def _field(record: Mapping[str, Any], field: str, where: str) -> Any:
    if record.get(field) is None:
        raise TaskError(f"{where} has no value for {field!r} (it has {', '.join(record)})")
    return record[field]


def _messages(prompt: Any, where: str) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    if not isinstance(prompt, list) or not prompt or not all(map(_is_message, prompt)):
        raise TaskError(
            f"{where}: a prompt is text or a list of messages, each with a role of "
            f"{', '.join(sorted(ROLES))} and a content of text; found {prompt!r:.80}"
        )
    return tuple(Message(message["role"], message["content"]) for message in prompt)


def _is_message(message: Any) -> bool:
    return (
        isinstance(message, Mapping)
        and message.keys() == {"role", "content"}
        and message["role"] in ROLES
        and isinstance(message["content"], str)
    )


def _check_disjoint(problems: Mapping[Split, list[Problem]], paths: Mapping[Split, Path]) -> None:
    seen: dict[tuple[Message, ...], Problem] = {}
    for split in problems:
        for problem in problems[split]:
            first = seen.setdefault(problem.messages, problem)
            if first.split != split:
                raise TaskError(
                    f"the same prompt is in {paths[first.split]} (number {first.index + 1}) and in "
                    f"{paths[split]} (number {problem.index + 1}): "
                    f"{problem.messages[-1].content!r:.80}; keep it in one of them"
                )
