"""The report as a person reads it in a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rkd_online.evaluation.measurement import Compared, PassAt1
from rkd_online.evaluation.report import Report

BAR = 40
ROWS = ("teacher", "student_before", "student_after")


def render_report(report: Report) -> RenderableType:
    """Summary, the three models side by side, difficulty groups and time by stage."""
    head = Text(f"\n{report.summary}\n", style="bold")
    parts: list[RenderableType] = [head, _models(report), _difficulties(report), _stages(report)]
    return Group(*parts)


def _models(report: Report) -> Table:
    table = Table(title=f"{report.name} · {report.algorithm} · {report.steps} steps")
    for column in ("", "pass@1 (95 %)", "greedy", "tokens / answer", "answers / s", "cut off"):
        table.add_column(column, justify="left" if not column else "right")
    for row in ROWS:
        pass_at_1: PassAt1 | None = getattr(report.pass_at_1, row)
        if pass_at_1 is None:
            continue
        table.add_row(
            row.replace("_", " "),
            f"{pass_at_1.value:.3f}  [{pass_at_1.low:.3f}, {pass_at_1.high:.3f}]".replace(
                "[", "\\["
            ),
            f"{getattr(report.greedy_pass_at_1, row).value:.3f}",
            f"{getattr(report.tokens_per_answer, row):.1f}",
            f"{getattr(report.answers_per_second, row):,.0f}",
            f"{getattr(report.truncated_share, row):.1%}",
        )
    return table


def _difficulties(report: Report) -> Table:
    compared: Compared[dict[str, PassAt1]] = report.by_difficulty
    table = Table(title="pass@1 by difficulty")
    table.add_column("")
    names = list(compared.student_before)
    for name in names:
        table.add_column(f"{name} ({compared.student_before[name].n})", justify="right")
    for row in ROWS:
        groups: dict[str, PassAt1] | None = getattr(compared, row)
        if groups is not None:
            table.add_row(row.replace("_", " "), *(f"{groups[name].value:.3f}" for name in names))
    return table


def _stages(report: Report) -> Table:
    table = Table(title=f"time by stage (loop's own share {report.loop_share:.1%})")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("")
    longest = max(report.stage_seconds.values(), default=0.0) or 1.0
    for stage, seconds in sorted(report.stage_seconds.items(), key=lambda item: -item[1]):
        table.add_row(stage, f"{seconds:.1f}", "█" * round(BAR * seconds / longest))
    return table
