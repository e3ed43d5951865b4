"""Every shipped example is a job."""

from pathlib import Path

import pytest

from rkd_online.spec.load import load_spec

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_parses(path: Path) -> None:
    load_spec(path)


def test_the_quickstart_is_there() -> None:
    assert "quickstart.yaml" in {path.name for path in EXAMPLES}


def test_the_mixture_has_two_teachers_whose_files_are_found_from_its_own_folder() -> None:
    (path,) = [path for path in EXAMPLES if path.name == "mixture.yaml"]
    spec = load_spec(path)
    assert [(one.name, one.field) for one in spec.courses] == [
        ("puzzles", "teacher"),
        ("mathematics", "task.parts.1.teacher"),
    ]
    mathematics = spec.parts[1].task
    assert mathematics.type == "file"
    assert mathematics.train == path.parent / "data" / "train.jsonl"
