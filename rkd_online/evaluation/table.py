"""The report as a person reads it in a terminal."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rkd_online.evaluation.measurement import Compared, Estimate, Measurement
from rkd_online.evaluation.model_tables import plain_table, tables
from rkd_online.evaluation.report import Report

BAR = 40
ROWS = ("teacher", "student_before", "student_after")


def render_report(report: Report) -> RenderableType:
    """Summary, the three models side by side, what survived, and time by stage."""
    prompts = report.pass_at_1.student_after.n
    cost = (
        f"{report.steps:,} steps in {report.training_seconds:,.0f} s, "
        f"{report.rollouts:,} rollouts, {report.completion_tokens:,} completion tokens\n"
    )
    kept = f"checkpoints: {report.checkpoints.last} (last)\n"
    if report.checkpoints.best != report.checkpoints.last:
        kept += f"{report.checkpoints.best} (best by {report.checkpoints.best_by})\n"
    head = Text.assemble(
        "\n", (report.summary, "bold"), "\n", _differences(report), (cost + kept, "dim"), "\n",
        f"{report.name} · {report.algorithm} · {prompts} test prompts\n", (_told(report), "yellow"),
    )  # fmt: skip
    decodings = {decoding: _rows(compared) for decoding, compared in report.decodings.items()}
    return Group(head, *tables(decodings, bold="student after"), _stages(report))


def _told(report: Report) -> str:
    """Why it ended early, and what it warned of."""
    ended = [] if report.early_stop is None else [f"ended early, {report.early_stop}"]
    warned = [f"warning, step {one.step}: {one.message}" for one in report.warnings]
    return "".join(f"{line}\n" for line in (*ended, *warned))


def _differences(report: Report) -> str:
    """The paired differences of pass@1: what was gained, and what is left to the teacher."""
    paired = report.paired
    named: Mapping[str, Estimate | None] = {
        "after - before": paired.after_less_before,
        "teacher - after": paired.teacher_less_after,
    }
    return "".join(
        f"{name:<15} {one.value:+.3f}, by prompt {one.low:+.3f} to {one.high:+.3f}\n"
        for name, one in named.items()
        if one is not None
    )


def _rows(compared: Compared[Measurement]) -> dict[str, Measurement]:
    return {
        name.replace("_", " "): one for name in ROWS if (one := getattr(compared, name)) is not None
    }


def _stages(report: Report) -> Table:
    table = plain_table(f"time by stage (loop's own share {report.loop_share:.1%})")
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
