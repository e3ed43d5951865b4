"""Prompts from JSONL and Parquet files."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rkd_online.errors import TaskError
from rkd_online.spec.task import FileTask
from rkd_online.tasks.base import Message, Problem
from rkd_online.tasks.build import build_task
from rkd_online.tasks.files import Files
from rkd_online.tasks.verifiers import verifier

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]
RECORDS: dict[str, list[dict[str, Any]]] = {
    "train": [{"prompt": "1+1?", "answer": 2}, {"prompt": CHAT, "answer": "4"}],
    "validation": [{"prompt": "1+2?", "answer": "3"}],
    "test": [{"prompt": "1+3?", "answer": "4"}],
}


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        path.write_text("\n\n".join(map(json.dumps, records)) + "\n")
    return path


def files(folder: Path, suffix: str = ".jsonl", **changes: Any) -> FileTask:
    """``changes`` are other records by split, and other fields of the task."""
    paths = {
        split: write(folder / f"{split}{suffix}", changes.pop(split, records))
        for split, records in RECORDS.items()
    }
    return FileTask.model_validate({"type": "file", **paths, **changes})


def test_records_become_problems(tmp_path: Path) -> None:
    task = build_task(files(tmp_path))
    assert [task.size(split) for split in ("train", "validation", "test")] == [2, 1, 1]
    assert task.problem("train", 0) == Problem(
        "train",
        0,
        (Message("user", "1+1?"),),
        answer="2",
        difficulty="all",
        task="file",
        record={"prompt": "1+1?", "answer": 2},
    )
    assert task.problem("train", 1).messages == (
        Message("system", "Be brief."),
        Message("user", "2+2?"),
    )


def test_parquet_gives_the_problems_that_jsonl_gives(tmp_path: Path) -> None:
    chats = [{"prompt": CHAT, "answer": "4"}]
    jsonl = Files(files(tmp_path, train=chats))
    parquet = Files(files(tmp_path, ".parquet", train=chats))
    for split in ("train", "validation", "test"):
        assert parquet.problem(split, 0) == jsonl.problem(split, 0)


def test_columns_are_chosen_by_name(tmp_path: Path) -> None:
    one = [{"q": "1?", "a": "1", "level": 3}]
    two, three = [one[0] | {"q": "2?"}], [one[0] | {"q": "3?"}]
    fields = {"prompt_field": "q", "answer_field": "a", "difficulty_field": "level"}
    problem = Files(files(tmp_path, train=one, validation=two, test=three, **fields)).problem(
        "test", 0
    )
    assert (problem.messages[0].content, problem.answer, problem.difficulty) == ("3?", "1", "3")


@pytest.mark.parametrize(("match", "verdict"), [("exact", 0.0), ("numeric", 1.0)])
def test_answers_match_as_the_task_says(tmp_path: Path, match: str, verdict: float) -> None:
    described = files(tmp_path, match=match)
    problem, verify = Files(described).problem("train", 0), verifier(described)
    assert verify(problem, "2") == 1.0
    assert verify(problem, "3") == 0.0
    assert verify(problem, "2.0") == verdict


def test_a_problem_keeps_the_record_that_it_is_made_from(tmp_path: Path) -> None:
    one = {"prompt": "1?", "answer": 1, "tests": ["f(1) == 1"]}
    assert Files(files(tmp_path, train=[one])).problem("train", 0).record == one


def test_a_prompt_in_two_splits_is_an_error_that_names_it(tmp_path: Path) -> None:
    task = files(tmp_path, test=[{"prompt": "5?", "answer": 5}, {"prompt": "1+1?", "answer": 2}])
    with pytest.raises(TaskError) as caught:
        Files(task)
    assert str(caught.value) == (
        f"the same prompt is in {task.train} (number 1) and in {task.test} (number 2): '1+1?'; "
        "keep it in one of them"
    )


def test_a_prompt_twice_in_one_split_is_the_users_affair(tmp_path: Path) -> None:
    twice = [{"prompt": "1+1?", "answer": 2}] * 2
    assert Files(files(tmp_path, train=twice)).size("train") == 2


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"prompt": "9?"}, "line 3 has no value for 'answer' (it has prompt)"),
        ({"prompt": "9?", "answer": None}, "line 3 has no value for 'answer'"),
        ({"prompt": 9, "answer": "9"}, "line 3: a prompt is text or a list of messages"),
        ({"prompt": [], "answer": "9"}, "line 3: a prompt is text or a list of messages"),
        (
            {"prompt": [{"role": "robot", "content": "9?"}], "answer": "9"},
            "each with a role of assistant, system, user and a content of text; found "
            "[{'role': 'robot'",
        ),
        ([1], "line 3 is a list instead of an object"),
    ],
)
def test_a_broken_record_is_named_by_file_and_line(
    tmp_path: Path, record: Any, expected: str
) -> None:
    task = files(tmp_path, train=[{"prompt": "8?", "answer": "8"}, record])
    with pytest.raises(TaskError) as caught:
        Files(task)
    assert str(task.train) in str(caught.value)
    assert expected in str(caught.value)


def test_a_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    task = files(tmp_path)
    task.test.write_text("{'prompt': 1}\n")
    with pytest.raises(TaskError, match=r"test\.jsonl, line 1 is not JSON: "):
        Files(task)


def test_a_reference_that_is_no_number_cannot_be_matched_as_one(tmp_path: Path) -> None:
    wrong = [{"prompt": "who?", "answer": "Ann"}]
    with pytest.raises(TaskError, match=r"line 1: the answer 'Ann' is no number: use task\.match"):
        Files(files(tmp_path, test=wrong, match="numeric"))


def test_a_reference_that_is_no_regular_expression_is_named_by_its_line(tmp_path: Path) -> None:
    wrong = [{"prompt": "who?", "answer": "Ann"}, {"prompt": "where?", "answer": "(a"}]
    with pytest.raises(TaskError, match=r"line 3: the answer '\(a' is no regular expression: "):
        Files(files(tmp_path, test=wrong, match="regex"))


def test_a_file_without_prompts_is_an_error(tmp_path: Path) -> None:
    task = files(tmp_path)
    task.validation.write_text("\n")
    with pytest.raises(TaskError, match=r"task.validation: .*validation.jsonl has no prompts"):
        Files(task)
