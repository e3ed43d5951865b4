"""The report as table and as picture."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from rkd_online.evaluation.plot import draw_report, report_figure
from rkd_online.evaluation.report import Report
from rkd_online.evaluation.table import render_report
from tests.unit.evaluation.sample_report import report, steps


def rendered(one: Report) -> list[list[str]]:
    """The words of each line, at 80 columns."""
    out = io.StringIO()
    Console(file=out, width=80, force_terminal=False).print(render_report(one))
    return [line.split() for line in out.getvalue().splitlines()]


def test_the_table_sets_the_three_models_side_by_side() -> None:
    lines = rendered(report())
    assert ["teacher", "0.900", "0.870-0.930", "0.900", "0.9", "1", "90.0%"] in lines
    assert [
        "student", "before", "0.400", "0.370-0.430", "0.800", "23.0", "1,500", "12.5%",
    ] in lines  # fmt: skip
    assert ["512", "rollouts,", "12,000", "completion", "tokens"] in [line[5:] for line in lines]


def test_time_by_stage_has_seconds_share_and_a_bar() -> None:
    lines = rendered(report())
    assert ["generate", "3.0", "75.0%", "█" * 40] in lines
    assert ["update", "1.0", "25.0%", "█" * 13] in lines


def test_names_of_difficulty_groups_are_shown_as_they_are() -> None:
    assert any(line[:2] == ["[4]", "terms"] for line in rendered(report()))


def test_a_job_without_a_teacher_has_no_row_for_one() -> None:
    assert not [line for line in rendered(report(with_teacher=False)) if line[:1] == ["teacher"]]


def test_the_table_needs_neither_numpy_nor_matplotlib() -> None:
    code = (
        "import sys; sys.modules.update(numpy=None, matplotlib=None);"
        "import rkd_online.evaluation.table"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def curves(one: Report) -> dict[str, list[float]]:
    """What the picture draws over the steps, by legend."""
    return {
        str(line.get_label()): np.asarray(line.get_ydata(), dtype=float).tolist()
        for axis in report_figure(one, steps()).axes
        if axis.get_xlabel() == "step"
        for line in axis.get_lines()
        if not str(line.get_label()).startswith("_")
    }


def test_the_picture_draws_the_metrics_that_the_steps_have() -> None:
    assert curves(report()) == {
        "mean reward of training rollouts": [0.5, 0.5],
        "KL(policy || teacher)": [0.2, 0.2],
        "clip low": [0.01, 0.01],
    }


@pytest.mark.parametrize("with_teacher", [True, False])
def test_the_picture_is_a_png(with_teacher: bool, tmp_path: Path) -> None:
    draw_report(report(with_teacher=with_teacher), steps(), tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
