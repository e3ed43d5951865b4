"""What is wrong with a job's task is known before it is built."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rkd_online.spec.check_task import task_problems
from rkd_online.spec.load import parse_spec
from tests.unit.spec.job import job


def problems(**task: Any) -> list[str]:
    return task_problems(parse_spec(job(task=task)).task)


def gym(dataset: str, **config: Any) -> list[str]:
    return problems(type="reasoning_gym", dataset=dataset, config=config)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    record = {"question": "1+1?", "answer": "2", "level": 1}
    (tmp_path / "a.jsonl").write_text("\n" + json.dumps(record) + "\nnot looked at\n")
    pq.write_table(pa.Table.from_pylist([record]), tmp_path / "b.parquet")
    paths = {"train": "a.jsonl", "validation": "b.parquet", "test": "b.parquet"}
    return {split: str(tmp_path / name) for split, name in paths.items()}


def test_files_with_the_columns_are_fine(files: dict[str, str]) -> None:
    fields = {"prompt_field": "question", "difficulty_field": "level"}
    assert problems(type="file", **files, **fields) == []


def test_a_missing_column_is_named_with_those_there_are(files: dict[str, str]) -> None:
    found = problems(type="file", **files, prompt_field="quesiton")
    assert found == [
        f"task.prompt_field: {files[split]} has no column 'quesiton'; did you mean 'question'? "
        "(it has: question, answer, level)"
        for split in ("train", "validation", "test")
    ]


def test_files_that_are_not_there_or_not_readable_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    (tmp_path / "b.parquet").write_text("no parquet")
    found = problems(
        type="file",
        train=str(tmp_path / "a.jsonl"),
        validation=str(tmp_path / "b.parquet"),
        test=str(tmp_path / "c.jsonl"),
    )
    assert found[0] == f"task.train: cannot read {tmp_path}/a.jsonl: it is empty"
    assert found[1].startswith(f"task.validation: cannot read {tmp_path}/b.parquet: ")
    assert found[2] == f"task.test: there is no file {tmp_path}/c.jsonl"
    assert problems(type="file", train="a.jsonl", validation="/b.csv", test="/c") == [
        "task.train: a.jsonl is a relative path: give an absolute one",
        "task.validation: /b.csv ends in '.csv', should be .jsonl or .parquet",
        "task.test: /c ends in '', should be .jsonl or .parquet",
    ]


def test_an_unknown_dataset_is_refused_with_near_names() -> None:
    assert gym("knight_knaves") == [
        "task.dataset: reasoning-gym has no dataset 'knight_knaves'; did you mean 'knights_knaves' "
        "or 'knight_swap'?"
    ]


def test_an_unknown_setting_is_refused_with_near_names() -> None:
    assert gym("knights_knaves", n_peple=3) == [
        "task.config.n_peple: knights_knaves has no such setting; did you mean 'n_people'? "
        "(allowed: depth_constraint, n_people, width_constraint)"
    ]


def test_seed_and_size_are_fields_of_the_task() -> None:
    assert gym("chain_sum", seed=3, size=10) == [
        "task.config.seed: set task.seed instead",
        "task.config.size: set task.train_size, validation_size and test_size instead",
    ]


def test_a_value_that_the_dataset_refuses_is_an_error() -> None:
    (line,) = gym("chain_sum", min_terms=5, max_terms=2)
    assert line == (
        "task.config: chain_sum refuses {'min_terms': 5, 'max_terms': 2}: "
        "max_terms must be >= min_terms"
    )


def test_a_dataset_that_no_seed_repeats_is_refused() -> None:
    assert gym("codeio") == [
        "task.dataset: 'codeio' makes other problems in every process: choose another"
    ]


def test_each_part_of_a_mixture_is_checked() -> None:
    part = {"name": "gcd", "weight": 1, "config": {}}
    assert gym("composite", datasets=[part]) == []
    assert gym("composite", datasets=[]) == [
        "task.config: composite takes a list of datasets and nothing else, found {'datasets': []}"
    ]
    found = gym("composite", datasets=[part | {"name": "gdc"}, part | {"config": {"seed": 1}}, 3])
    assert found == [
        "task.config.datasets.0.name: reasoning-gym has no dataset 'gdc'; did you mean 'gcd'?",
        "task.config.datasets.1.config.seed: set task.seed instead",
        "task.config.datasets.2: found 3, should be a mapping of name, weight above 0 and config",
    ]
