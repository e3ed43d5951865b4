"""The page and the command: which results are shown, where, and how they were measured."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import __main__, page, results, step_plot
from benchmarks.results import Figure, Goal, Result, Row
from benchmarks.step_cases import CASES
from benchmarks.step_page import PIPELINED, SYNCHRONOUS, TRL
from benchmarks.step_plot import Bars, bars

SPEEDS = {TRL: 2.0, SYNCHRONOUS: 3.0, PIPELINED: 5.0}


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "benchmarks.md")
    monkeypatch.setattr(step_plot, "PICTURE", tmp_path / "images" / "step-time.png")
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")


def test_the_steps_stand_together_by_case_below_one_picture(tmp_path: Path) -> None:
    names = ["100M", "10M", "small"]
    steps = [_step(name) for name in names]
    page.write_page([_result("learner"), _result("start-up"), *steps, _result("weight-swap")])
    lines = page.PAGE.read_text().splitlines()
    assert [line for line in lines if line.startswith(("## ", "!["))] == [
        "## learner",
        "## start-up",
        "![Rollouts per second over TRL's](images/step-time.png)",
        "## step-time-small",
        "## step-time-10M",
        "## step-time-100M",
        "## weight-swap",
    ]
    assert "`python -m benchmarks step-time-10M`, tree `abc`" in lines
    assert (tmp_path / "images" / "step-time.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_without_a_case_has_no_picture(tmp_path: Path) -> None:
    page.write_page([_result("learner")])
    assert "step-time" not in page.PAGE.read_text()
    assert not (tmp_path / "images").exists()


def test_what_is_drawn_is_what_the_rows_say() -> None:
    assert bars(_step("100M-prompt-heavy")) == Bars("100M-prompt-heavy", SPEEDS, goal=3.5)


@pytest.mark.parametrize(
    ("arguments", "looks", "machine"),
    [([], 5, "2 cores"), (["--busy"], 0, "2 cores, beside other work")],
)
def test_step_time_measures_each_case_on_an_idle_machine_or_says_so(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], looks: int, machine: str
) -> None:
    looked = []
    module = ModuleType("benchmarks.step_time")
    vars(module)["measure"] = _step
    monkeypatch.setitem(sys.modules, "benchmarks.step_time", module)
    monkeypatch.setattr(__main__, "wait_until_idle", lambda: looked.append("look"))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "step-time", *arguments])
    with pytest.raises(SystemExit, match="False"):
        __main__.main()
    kept = results.kept()
    assert sorted(one.name for one in kept) == sorted(case.benchmark for case in CASES.values())
    assert {one.machine for one in kept} == {machine}
    assert len(looked) == looks


def _step(name: str) -> Result:
    case = CASES[name]
    goal = Goal(
        what=f"{name}: pipelined over TRL",
        value=4.0,
        unit="x",
        bound="at least",
        limit=case.at_least,
    )
    rows = [
        row
        for side, speed in SPEEDS.items()
        for row in (
            Figure(what=f"{name}: {side}", value=speed, unit="rollouts/s"),
            Figure(what=f"{name}: {side}", value=99.0, unit="completion tokens/s"),
            Figure(what=f"{name}: {side}, median step", value=99.0, unit="rollouts/s"),
        )
    ]
    return _result(case.benchmark, goal, *rows)


def _result(name: str, *rows: Row) -> Result:
    return Result(
        name=name,
        title=name,
        rows=list(rows),
        commit="abc",
        machine="2 cores",
        measured=datetime(2026, 1, 1, tzinfo=UTC),
    )
