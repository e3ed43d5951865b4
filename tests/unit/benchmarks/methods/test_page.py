"""A cell's page and its pictures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.image import imread

from benchmarks.methods.__main__ import RESULTS
from benchmarks.methods.cells import CELLS, FULL, QUICK
from benchmarks.methods.page import EXPERIMENTS, page_text, write_cell
from benchmarks.methods.pieces import Measuring, Pricing, Training
from benchmarks.methods.plan import CellPlan
from benchmarks.methods.pool import Places, Pool
from benchmarks.methods.tables import (
    alpha_table,
    equal_seconds_table,
    equal_steps_table,
    grid_table,
    groups_table,
)
from tests.unit.benchmarks.methods.records import examined, findings

GROUPS = ["easy: all", "hard: all", "hard: all"]
"""Of a mixture of two parts with one group each."""


def row(table: str, name: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_after_all_steps_each_method_stands_beside_grpo() -> None:
    """Three prompts with 1, 2 and 3 of 4 for grpo; one more each for all others."""
    table = equal_steps_table(findings())
    assert row(table, "teacher")[2] == "1.000 (1.000 to 1.000)"
    assert row(table, "student before")[2].startswith("0.250 (")
    grpo, rlad = row(table, "`grpo`"), row(table, "`rlad`")
    assert grpo[1] == rlad[1] == "0.003"
    assert grpo[2].startswith("0.500 (") and rlad[2].startswith("0.750 (")
    assert rlad[3] == "0.750, 0.750, 0.750"
    assert (grpo[4], rlad[4]) == ("-", "+0.250 (+0.250 to +0.250)")
    assert rlad[5:] == ["1.000", "20.0", "2.00"]


def test_after_equal_core_seconds_each_method_has_its_own_number_of_steps() -> None:
    table = equal_seconds_table(findings())
    assert row(table, "`grpo`")[1:3] == ["4", row(equal_steps_table(findings()), "`grpo`")[2]]
    assert row(table, "`opd`")[1] == "2"
    assert row(table, "`opd`")[4] == "+0.000 (+0.000 to +0.000)"
    assert row(table, "`sft`")[1] == "0"
    assert row(table, "`sft`")[2].endswith("as before")


def test_groups_are_shown_where_there_are_several() -> None:
    assert groups_table(findings()) == ""
    found = findings()
    grouped = {
        name: [
            one.model_copy(update={"tests": {4: examined([0, 4, 4], groups=GROUPS)}})
            for one in trained
        ]
        for name, trained in found.trained.items()
    }
    teacher = examined([4, 4, 0], groups=GROUPS)
    baseline = found.baseline.model_copy(update={"teacher": teacher, "student": teacher})
    table = groups_table(replace(found, baseline=baseline, trained=grouped))
    assert table.splitlines()[0] == "|  | easy | hard |"
    assert row(table, "teacher")[1].startswith("1.000 (")
    assert row(table, "teacher")[2].startswith("0.500 (")
    assert row(table, "`kdrl`")[1:] == ["0.000 (0.000 to 0.000)", "1.000 (1.000 to 1.000)"]


def test_the_grid_is_shown_with_its_best() -> None:
    table = grid_table(findings())
    assert table.splitlines()[0] == "|  | 0.00003 | 0.0001 | 0.0003 | 0.001 | 0.003 |"
    assert row(table, "`rlad`")[1:] == ["0.500", "0.500", "0.500", "0.500", "**0.750**"]


def test_alphas_stand_in_their_order_beside_the_papers() -> None:
    table = alpha_table(findings())
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == [
        "0.1", "0.3", "0.5", "0.7", "0.9",
    ]  # fmt: skip
    assert row(table, "0.5")[3:] == ["-", "0.062"]
    assert row(table, "0.1")[3] == "+0.000 (+0.000 to +0.000)"
    assert alpha_table(findings(QUICK)) == ""


def test_the_page_says_how_it_was_made_and_shows_pictures_that_are_there(tmp_path: Path) -> None:
    page = write_cell(findings(FULL), tmp_path)
    text = page.read_text()
    assert "`python -m benchmarks.methods --cell sums-unreliable`" in text
    assert "tree `abc`" in text
    assert "\n8 core-seconds of sampling" in text and "pays 8 core-seconds for its 4,096" in text
    shown = [line.split("(")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert shown == ["images/sums-unreliable.png", "images/sums-unreliable-alpha.png"]
    for name in shown:
        assert imread(tmp_path / name).std() > 0.05


def test_the_page_says_to_how_many_prompts_no_answer_was_right_before_training() -> None:
    found = findings()
    baseline = found.baseline.model_copy(
        update={"student": examined([0, 4, 1, 0, 0, 2, 3, 1]), "teacher": examined([4] * 7 + [0])}
    )
    assert (
        "Before training none of the student's 4 answers was right for 38 % of the prompts, none "
        "of the teacher's for 12 %."
    ) in page_text(replace(found, baseline=baseline))


def test_a_quick_page_has_no_alphas(tmp_path: Path) -> None:
    text = write_cell(findings(QUICK), tmp_path).read_text()
    assert "alpha.png" not in text and "--quick" in text and "## Learning rates" not in text


class NothingToDo(Pool):
    """Everything was kept."""

    def do(self, pieces: Sequence[Measuring | Pricing | Training], what: str) -> None:
        missing = [one.name for one in pieces if not self._places.result(one).exists()]
        assert missing == [], what


@pytest.mark.parametrize("cell", [page.stem for page in sorted(EXPERIMENTS.glob("*-*.md"))])
def test_a_kept_page_is_that_of_its_kept_results(cell: str, tmp_path: Path) -> None:
    places = Places(RESULTS, tmp_path)
    found = CellPlan(CELLS[cell], FULL, NothingToDo(places, 1), places).run()
    assert (EXPERIMENTS / f"{cell}.md").read_text() == page_text(found)
