"""The report as a person reads it in a terminal."""

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rkd_online.evaluation.measurement import Compared, PassAt1
from rkd_online.evaluation.report import Report

BAR = 40
ROWS = ("teacher", "student_before", "student_after")


def render_report(report: Report) -> RenderableType:
    """Summary, the three models side by side, difficulty groups and time by stage."""
    cost = (
        f"{report.steps:,} steps in {report.training_seconds:,.0f} s, "
        f"{report.rollouts:,} rollouts, {report.completion_tokens:,} completion tokens\n"
    )
    kept = f"checkpoints: {report.checkpoints.last} (last)\n"
    if report.checkpoints.best != report.checkpoints.last:
        kept += f"{report.checkpoints.best} (best by {report.checkpoints.best_by})\n"
    head = Text.assemble("\n", (report.summary, "bold"), "\n", (cost + kept, "dim"))
    parts: list[RenderableType] = [head, _models(report)]
    if len(report.by_difficulty.student_before) > 1:
        parts.append(_difficulties(report))
    return Group(*parts, _stages(report))


def _models(report: Report) -> Table:
    prompts = report.pass_at_1.student_after.n
    table = _table(f"{report.name} · {report.algorithm} · {prompts} test prompts")
    for column in (
        "",
        "pass@1 (95 %)",
        "greedy",
        "tokens /\nanswer",
        "answers /\nsecond",
        "cut\noff",
    ):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for row in _present(report.pass_at_1):
        table.add_row(
            row.replace("_", " "),
            _interval(getattr(report.pass_at_1, row)),
            f"{getattr(report.greedy_pass_at_1, row).value:.3f}",
            f"{getattr(report.tokens_per_answer, row):,.1f}",
            f"{getattr(report.answers_per_second, row):,.0f}",
            f"{getattr(report.truncated_share, row):.1%}",
            style="bold" if row == "student_after" else "",
        )
    return table


def _difficulties(report: Report) -> Table:
    """A row per group: a task may have many."""
    models = _present(report.by_difficulty)
    table = _table("pass@1 by difficulty")
    table.add_column("")
    table.add_column("prompts", justify="right")
    for model in models:
        table.add_column(model.replace("_", " "), justify="right", no_wrap=True)
    for name, before in report.by_difficulty.student_before.items():
        found = [getattr(report.by_difficulty, model)[name] for model in models]
        table.add_row(Text(name), str(before.n), *(_interval(one) for one in found))
    return table


def _stages(report: Report) -> Table:
    table = _table(f"time by stage (loop's own share {report.loop_share:.1%})")
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("share", justify="right")
    table.add_column("")
    longest = max(report.stage_seconds.values(), default=0.0) or 1.0
    whole = sum(report.stage_seconds.values()) or 1.0
    for stage, seconds in sorted(report.stage_seconds.items(), key=lambda item: -item[1]):
        bar = "█" * round(BAR * seconds / longest)
        table.add_row(stage, f"{seconds:,.1f}", f"{seconds / whole:.1%}", Text(bar, "cyan"))
    return table


def _table(title: str) -> Table:
    """Narrow enough for a terminal of 80 columns."""
    return Table(
        title=Text(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def _present(compared: Compared[Any]) -> list[str]:
    return [row for row in ROWS if getattr(compared, row) is not None]


def _interval(found: PassAt1) -> Text:
    return Text(f"{found.value:.3f} {found.low:.3f}-{found.high:.3f}")
