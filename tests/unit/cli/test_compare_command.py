"""rkd compare: where the two sides are looked for, and what is shown of them."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from rkd_online.cli import extras
from tests.unit.cli.conftest import Rkd
from tests.unit.evaluation.evaluations import evaluation


def kept(path: Path, correct: Sequence[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(evaluation(path.stem, correct).model_dump_json())
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two jobs in a data folder."""
    for job, right in (("one", 2), ("two", 3)):
        folder = tmp_path / "runs" / job / "evaluations"
        kept(folder / "student-before.json", [1] * 8)
        kept(folder / "student-after.json", [right] * 8)
    return tmp_path


def difference(rkd: Rkd, *arguments: str) -> tuple[str, str, float]:
    outcome = rkd("compare", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    passed = found["decodings"]["temperature_1"]["pass_at_k"]["1"]
    return found["first"], found["second"], passed["difference"]["value"]


def test_a_jobs_name_is_its_student_after_training(rkd: Rkd, data: Path) -> None:
    folder = ("--data-dir", str(data))
    assert difference(rkd, "one", "two", *folder) == ("one", "two", 0.25)
    assert difference(rkd, "two/student-before", "two", *folder) == (
        "two/student-before", "two", 0.5,
    )  # fmt: skip


def test_a_side_may_be_a_file_or_the_folder_of_a_run(
    rkd: Rkd, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = kept(data / "elsewhere" / "best.json", [4] * 8)
    run = data / "runs" / "one"
    assert difference(rkd, str(run), str(file)) == (str(run), str(file), 0.5)
    monkeypatch.chdir(data / "elsewhere")
    assert difference(rkd, "best.json", "best.json")[2] == 0.0


def test_the_tables_are_shown(rkd: Rkd, data: Path) -> None:
    shown = rkd("compare", "one", "two", "--data-dir", str(data)).out
    assert "temperature 1, 8 prompts, differences by prompt" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["pass@1", "0.500", "0.750", "+0.250", "+0.250", "to", "+0.250"] in lines
    assert ["tokens", "20.0", "20.0", "+0.0", "+0.0", "to", "+0.0"] in lines


def test_columns_have_the_last_parts_of_the_names_where_these_differ(rkd: Rkd, data: Path) -> None:
    folder = ("--data-dir", str(data))
    shown = rkd("compare", "two/student-before", "two", *folder).out.splitlines()
    assert ["student-before", "two", "difference", "(95", "%)"] in [line.split() for line in shown]
    shown = rkd("compare", "one/student-after", "two/student-after", *folder).out.splitlines()
    assert ["one/student-after", "two/student-after", "difference"] in [
        line.split()[:3] for line in shown
    ]


def test_prompts_that_differ_are_an_error(rkd: Rkd, data: Path) -> None:
    more = kept(data / "more.json", [4] * 9)
    outcome = rkd("compare", "one", str(more), "--data-dir", str(data))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(
        f"error: one was asked 8 prompts and {more} 9, not the same: one has no test/8-0a"
    )


def test_a_side_that_is_not_there_says_where_it_was_looked_for(rkd: Rkd, data: Path) -> None:
    outcome = rkd("compare", "one", "three", "--data-dir", str(data))
    assert outcome.code == 1
    assert outcome.err.startswith("error: there is no evaluation 'three' (looked for three, ")
    assert f"{data}/runs/three/evaluations/student-after.json" in outcome.err


def test_a_file_of_another_kind_is_an_error(rkd: Rkd, data: Path) -> None:
    (data / "spec.json").write_text("{}")
    outcome = rkd("compare", "one", str(data / "spec.json"), "--data-dir", str(data))
    assert outcome.code == 1
    assert (
        "spec.json is no evaluation of this version of rkd (model: Field required)" in outcome.err
    )


def test_a_base_install_says_what_is_missing(rkd: Rkd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    outcome = rkd("compare", "one", "two")
    assert outcome.err.startswith("error: `rkd compare` needs numpy, which this base install")
