"""The report as a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rkd_online.evaluation.measurement import PassAt1
from rkd_online.evaluation.report import Report
from rkd_online.types import StepReport

BLUE, GREY, RED, AMBER = "#2a6f97", "#7b8794", "#d1495b", "#e09f3e"
MODELS = {"student_before": GREY, "student_after": RED, "teacher": BLUE}
FEW_POINTS = 15
"""Up to this many values of a curve are drawn as points as well."""
SMALLEST_GAP = 0.05
"""Labels at the right edge keep this distance, as a share of the axis."""


def draw_report(report: Report, steps: Sequence[StepReport], path: Path) -> None:
    """Write the picture as a PNG."""
    report_figure(report, steps).savefig(path, dpi=110)


def report_figure(report: Report, steps: Sequence[StepReport]) -> Figure:
    """Learning curve with the three models, distance to the teacher, pass@1 by difficulty, clip and
    clamp, time by stage."""
    figure = Figure(figsize=(13, 8), layout="constrained")
    figure.suptitle(report.summary, fontsize=14, fontweight="bold")
    figure.supxlabel(
        f"{report.name} · {report.algorithm} · {report.steps} steps in "
        f"{report.training_seconds:,.0f} s · {report.rollouts:,} rollouts · bands and bars: 95 % "
        "intervals, bootstrap by prompt",
        fontsize=9,
        color=GREY,
    )
    grid = figure.add_gridspec(2, 1, hspace=0.04)
    learning, distance = figure.add_subfigure(grid[0]).subplots(1, 2, width_ratios=(2, 1))
    difficulties, shares, stages = figure.add_subfigure(grid[1]).subplots(1, 3)
    _learning(learning, report, steps)
    _distance(distance, steps)
    _difficulties(difficulties, report)
    _shares(shares, steps)
    _stages(stages, report)
    for axis in (learning, distance, shares):
        axis.set_xlim(0, 1.02 * report.steps)
    return figure


def _learning(axis: Axes, report: Report, steps: Sequence[StepReport]) -> None:
    _titled(axis, "What was learned", "step", "reward, pass@1")
    _line(axis, steps, "reward/mean", "mean reward of training rollouts", color=AMBER)
    _line(axis, steps, "validation/pass_at_1", "pass@1 on validation prompts", color=RED)
    found = {name: one for name in MODELS if (one := getattr(report.pass_at_1, name)) is not None}
    for name, one in found.items():
        axis.axhline(one.value, color=MODELS[name], linestyle="--", linewidth=1.2)
        axis.axhspan(one.low, one.high, color=MODELS[name], alpha=0.12, linewidth=0)
    axis.set_ylim(min(0.0, axis.get_ylim()[0]), max(1.02, axis.get_ylim()[1]))
    _label_models(axis, found)
    _legend(axis)


def _label_models(axis: Axes, found: dict[str, PassAt1]) -> None:
    """Names and values at the right edge, moved apart where the values are close."""
    bottom, top = axis.get_ylim()
    height = bottom
    for name, one in sorted(found.items(), key=lambda item: item[1].value):
        height = max(one.value, height + SMALLEST_GAP * (top - bottom))
        axis.annotate(
            f" {name.replace('_', ' ')} {one.value:.2f}",
            (1, height),
            xycoords=("axes fraction", "data"),
            va="center",
            color=MODELS[name],
            annotation_clip=False,
        )


def _distance(axis: Axes, steps: Sequence[StepReport]) -> None:
    _titled(axis, "Distance to the teacher, entropy", "step", "nats per token")
    _line(axis, steps, "policy/kl_teacher", "KL(policy || teacher)", color=BLUE)
    _line(axis, steps, "policy/entropy", "entropy of the policy", color=AMBER)
    axis.set_ylim(min(0.0, axis.get_ylim()[0]))
    _legend(axis)


def _difficulties(axis: Axes, report: Report) -> None:
    """Names lie along the upright axis: a task may have many groups."""
    _titled(axis, "pass@1 by difficulty", "pass@1", "")
    groups = report.by_difficulty.student_before
    for place, (name, color) in enumerate(MODELS.items()):
        found: dict[str, PassAt1] | None = getattr(report.by_difficulty, name)
        if found is not None:
            values = [found[group] for group in groups]
            axis.errorbar(
                [one.value for one in values],
                [number + 0.18 * (place - 1) for number in range(len(values))],
                xerr=[[o.value - o.low for o in values], [o.high - o.value for o in values]],
                fmt="o",
                color=color,
                markersize=5,
                capsize=2,
                label=name.replace("_", " "),
            )
    axis.set_yticks(range(len(groups)), [f"{name} ({one.n})" for name, one in groups.items()])
    axis.set_ylim(len(groups) - 0.5, -0.5)
    axis.set_xlim(-0.02, 1.04)
    _legend(axis, columns=3)


def _shares(axis: Axes, steps: Sequence[StepReport]) -> None:
    _titled(axis, "Where clip and clamp bind", "step", "share of tokens")
    sides = {"clip_low": GREY, "clip_high": RED, "clamp_low": BLUE, "clamp_high": AMBER}
    for side, color in sides.items():
        _line(axis, steps, f"policy/{side}_share", side.replace("_", " "), color=color)
    axis.set_ylim(0)
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    _legend(axis, columns=4)


def _stages(axis: Axes, report: Report) -> None:
    _titled(axis, "Time by stage", "seconds", "")
    ordered = sorted(report.stage_seconds.items(), key=lambda item: item[1])
    bars = axis.barh([name for name, _ in ordered], [value for _, value in ordered], color=BLUE)
    whole = sum(report.stage_seconds.values()) or 1.0
    labels = [f"{value:,.1f} s, {value / whole:.0%}" for _, value in ordered]
    axis.bar_label(bars, labels, padding=3, fontsize=8)
    axis.margins(x=0.3)
    axis.grid(visible=False, axis="y")


def _titled(axis: Axes, title: str, x: str, y: str) -> None:
    axis.set_title(title, loc="left", fontweight="bold", fontsize=11)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.grid(color="#e5e7eb", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    if x == "step":
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _legend(axis: Axes, *, columns: int = 2) -> None:
    """Below the axis, where it covers no data."""
    if axis.get_legend_handles_labels()[0]:
        axis.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.14),
            ncols=columns,
            frameon=False,
            fontsize=8.5,
            columnspacing=1.2,
            handlelength=1.4,
        )


def _line(axis: Axes, steps: Sequence[StepReport], metric: str, label: str, *, color: str) -> None:
    """The steps that have the metric; where they are few, each is a point."""
    points = [(step.step, step.metrics[metric]) for step in steps if metric in step.metrics]
    if points:
        marker = "o" if len(points) <= FEW_POINTS else ""
        axis.plot(*zip(*points, strict=True), label=label, color=color, marker=marker, markersize=5)
