"""The report as table and as picture."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from rich.console import Console

from rkd_online.evaluation.plot import draw_report, phase_switches, report_figure
from rkd_online.evaluation.plot_models import survival
from rkd_online.evaluation.report import Report, Warned
from rkd_online.evaluation.table import render_report
from rkd_online.types import StepReport
from tests.unit.evaluation.sample_report import measurement, report, score, steps

WIDTH = 80
LEARNED = "What was learned"


def rendered(one: Report) -> str:
    out = io.StringIO()
    Console(file=out, width=WIDTH, force_terminal=False).print(render_report(one))
    return out.getvalue()


def words(one: Report) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in rendered(one).splitlines()]


def section(one: Report, title: str) -> list[list[str]]:
    """The words of the lines of a table, which an empty line follows as one follows its title."""
    lines = [line.strip() for line in rendered(one).splitlines()]
    below = lines[lines.index(title) + 2 :]
    return [line.split() for line in below[: below.index("")]]


def test_each_decoding_sets_the_three_models_side_by_side() -> None:
    lines = section(report(), "temperature 1, 4 answers a prompt")
    assert ["teacher", "0.900", "0.870-0.930", "0.990", "1.000"] in lines
    assert ["student", "before", "0.400", "0.370-0.430", "0.640", "0.870"] in lines
    assert ["student", "after", "0.850", "0.820-0.880"] in section(
        report(), "greedy, 1 answer a prompt"
    )


def test_what_survived_is_shown_by_the_first_decoding() -> None:
    lines = section(report(), "answers, temperature 1")
    assert [
        "student", "before", "23.0", "12", "22", "31", "12.5%", "97.0%", "0.80", "1,500",
    ] in lines  # fmt: skip
    assert "answers, greedy" not in rendered(report())


def test_parts_of_the_reward_beside_the_verifiers_are_shown() -> None:
    assert ["teacher", "0.750"] in section(report(), "reward parts")


def test_the_head_has_the_paired_differences_and_the_size_of_the_job() -> None:
    lines = words(report())
    assert ["after", "-", "before", "+0.250,", "by", "prompt", "+0.230", "to", "+0.270"] in lines
    assert ["teacher", "-", "after", "+0.250,", "by", "prompt", "+0.230", "to", "+0.270"] in lines
    assert ["512", "rollouts,", "12,000", "completion", "tokens"] in [line[5:] for line in lines]


def test_the_head_says_why_a_job_ended_early_and_what_it_warned_of() -> None:
    warned = Warned(step=2, name="truncated", message="half of the [completions] are cut: " * 3)
    shown = rendered(report(early_stop="after step 2 of 60: no better", warnings=(warned,)))
    assert "\nended early, after step 2 of 60: no better\nwarning, step 2: half of the" in shown
    assert " ".join(shown.split()).count("half of the [completions] are cut:") == 3
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert "ended early" not in rendered(report()) and "warning" not in rendered(report())


def test_answers_that_were_not_judged_are_told() -> None:
    told = "student after, temperature 1: judging failed for 3 answers, which count as not correct"
    assert told in " ".join(rendered(report(unjudged=3)).split())
    assert "judging failed" not in rendered(report())


def test_time_by_stage_has_seconds_share_and_a_bar() -> None:
    lines = words(report())
    assert ["generate", "3.0", "75.0%", "█" * 40] in lines
    assert ["update", "1.0", "25.0%", "█" * 13] in lines


def test_names_of_difficulty_groups_are_shown_as_they_are() -> None:
    assert any(line[:2] == ["[4]", "terms"] for line in words(report()))


def mixed_report() -> Report:
    """The report of two parts, of which the second is harder."""
    tasks = {"puzzles": {1: score(0.75)}, "sums": {1: score(0.25)}}
    whole = report()
    shown = {
        name: getattr(whole.measured, name).model_copy(update={"by_task": tasks})
        for name in ("teacher", "student_before", "student_after")
    }
    compared = whole.measured.model_copy(update=shown)
    return whole.model_copy(update={"decodings": {"temperature_1": compared}})


def test_the_parts_of_a_mixture_have_a_table_of_their_own() -> None:
    lines = section(mixed_report(), "pass@1 by task")
    cell = ["0.750", "0.720-0.780"]
    assert ["puzzles", "256", *cell, *cell, *cell] in lines
    assert "by task" not in rendered(report())


def test_the_picture_shows_the_parts_of_a_mixture_by_name() -> None:
    one = mixed_report()
    drawn = axis(one, "pass@1 by task and difficulty")
    names = [label.get_text() for label in drawn.get_yticklabels()]
    assert names == ["puzzles (256)", "sums (256)", "2 terms (256)", "[4] terms (256)"]
    mixed = [
        StepReport(step, step, 0, {"step": 2.0}, {"reward/mean": 0.5, f"reward/mean/{part}": value})
        for step, part, value in ((1, "sums", 0.25), (2, "puzzles", 0.75))
    ]
    figure = report_figure(one, mixed)
    (learned,) = [found for found in figure.axes if found.get_title(loc="left") == LEARNED]
    assert curves(learned) == {
        "mean reward, puzzles": [0.75],
        "mean reward, sums": [0.25],
        "mean reward of training rollouts": [0.5, 0.5],
    }


def test_a_job_without_a_teacher_has_no_row_for_one() -> None:
    assert "teacher" not in rendered(report(with_teacher=False))


def test_no_line_is_wider_than_the_terminal_or_cut() -> None:
    shown = rendered(report())
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert "…" not in shown


def test_the_table_needs_neither_numpy_nor_matplotlib() -> None:
    code = (
        "import sys; sys.modules.update(numpy=None, matplotlib=None);"
        "import rkd_online.evaluation.table"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def axis(one: Report, title: str) -> Axes:
    return next(
        found for found in report_figure(one, steps()).axes if found.get_title(loc="left") == title
    )


def curves(found: Axes) -> dict[str, list[float]]:
    """What is drawn with a name."""
    return {
        str(line.get_label()): np.asarray(line.get_ydata(), dtype=float).tolist()
        for line in found.get_lines()
        if not str(line.get_label()).startswith("_")
    }


def test_the_picture_draws_the_metrics_that_the_steps_have() -> None:
    drawn = [axis(report(), title) for title in ("What was learned", "Where clip and clamp bind")]
    assert [curves(one) for one in drawn] == [
        {"mean reward of training rollouts": [0.5, 0.5]},
        {"clip low": [0.01, 0.01]},
    ]


def test_the_picture_draws_pass_at_k_of_each_model() -> None:
    found = curves(axis(report(), "pass@k"))
    assert found["student before"] == pytest.approx([0.4, 0.64, 0.8704])
    assert list(found) == ["student before", "student after", "teacher"]


def test_what_survived_is_shares_and_solutions_over_answers() -> None:
    found = survival(measurement(0.5, tokens=20.0, cut=0.25))
    assert {name: one.value for name, one in found.items()} == {
        "answer found": 0.97,
        "cut off": 0.25,
        "format reward": 0.75,
        "different and\nright, of 4": 0.25,  # 0.5 x sqrt(4) solutions in 4 answers
    }


@pytest.mark.parametrize("headline", ["temperature_1", "greedy"])
@pytest.mark.parametrize("with_teacher", [True, False])
def test_the_picture_is_a_png(with_teacher: bool, headline: str, tmp_path: Path) -> None:
    one = report(with_teacher=with_teacher).model_copy(update={"headline": headline})
    draw_report(one, steps(), tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


def test_the_phases_of_a_job_are_told_apart_between_their_steps() -> None:
    steps = [
        StepReport(number, number, 0, {}, {"phase/index": float(phase)})
        for number, phase in enumerate([0, 0, 1, 1, 2], start=1)
    ]
    assert phase_switches(steps) == [(2.5, 1), (4.5, 2)]
