"""The report as a picture."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rkd_online.evaluation.axes import AMBER, BLUE, GREY, MODELS, RED, legend, line, titled
from rkd_online.evaluation.measurement import Estimate
from rkd_online.evaluation.plot_models import (
    draw_difficulties,
    draw_lengths,
    draw_pass_at_k,
    draw_survival,
    present,
)
from rkd_online.evaluation.report import Report
from rkd_online.spec.decoding import DISTRIBUTIONS
from rkd_online.types import StepReport

BY_PART: Final = "reward/mean/"
PARTS: Final = ("#5a9e6f", "#8e6c8a", "#b08968", "#4f9da6")
"""Colours of the parts of a mixture, in turn."""
SMALLEST_GAP = 0.05
"""Labels at the right edge keep this distance, as a share of the axis."""


def draw_report(report: Report, steps: Sequence[StepReport], path: Path) -> None:
    """Write the picture as a PNG."""
    report_figure(report, steps).savefig(path, dpi=110)


def report_figure(report: Report, steps: Sequence[StepReport]) -> Figure:
    """The training above; the three models, what survived; clip and clamp, time by stage."""
    figure = Figure(figsize=(13, 12), layout="constrained")
    figure.suptitle(report.summary, fontsize=14, fontweight="bold")
    figure.supxlabel(
        f"{report.name} · {report.algorithm} · {report.steps} steps in "
        f"{report.training_seconds:,.0f} s · {report.rollouts:,} rollouts · answers: "
        f"{DISTRIBUTIONS[report.headline].words} · bands and bars: 95 % intervals, bootstrap by "
        "prompt",
        fontsize=9,
        color=GREY,
    )
    grid = figure.add_gridspec(3, 1, hspace=0.04)
    learning, distance = figure.add_subfigure(grid[0]).subplots(1, 2, width_ratios=(2, 1))
    passes, difficulties, survival = figure.add_subfigure(grid[1]).subplots(1, 3)
    lengths, shares, stages = figure.add_subfigure(grid[2]).subplots(1, 3)
    _learning(learning, report, steps)
    _distance(distance, steps)
    models = present(report.measured)
    draw_pass_at_k(passes, models)
    draw_difficulties(difficulties, models)
    draw_survival(survival, models)
    draw_lengths(lengths, models)
    _shares(shares, steps)
    _stages(stages, report)
    for axis in (learning, distance, shares):
        axis.set_xlim(0, 1.02 * report.steps)
        for place, _ in phase_switches(steps):
            axis.axvline(place, color=GREY, linestyle=":", linewidth=1.2)
    names = report.algorithm.split(" then ")
    for place, phase in phase_switches(steps):
        learning.annotate(
            f" {names[phase]}",
            (place, 0.01),
            xycoords=("data", "axes fraction"),
            fontsize=8,
            color=GREY,
        )
    return figure


def phase_switches(steps: Sequence[StepReport]) -> list[tuple[float, int]]:
    """Where on the axis of steps a phase begins, between two steps, and which it is."""
    found = [(step.step, int(step.metrics.get("phase/index", 0))) for step in steps]
    return [
        (after - 0.5, phase)
        for (_, before), (after, phase) in itertools.pairwise(found)
        if phase != before
    ]


def part_rewards(steps: Sequence[StepReport]) -> list[str]:
    """The metrics of the parts of a mixture that any step has."""
    return sorted({name for step in steps for name in step.metrics if name.startswith(BY_PART)})


def _learning(axis: Axes, report: Report, steps: Sequence[StepReport]) -> None:
    titled(axis, "What was learned", "step", "reward, pass@1")
    for place, part in enumerate(part_rewards(steps)):
        color, name = PARTS[place % len(PARTS)], part.removeprefix(BY_PART)
        line(axis, steps, part, f"mean reward, {name}", color=color, thin=True)
    line(axis, steps, "reward/mean", "mean reward of training rollouts", color=AMBER)
    line(axis, steps, "validation/pass_at_1", "pass@1 on validation prompts", color=RED)
    found = {name: one for name in MODELS if (one := getattr(report.pass_at_1, name)) is not None}
    for name, one in found.items():
        axis.axhline(one.value, color=MODELS[name], linestyle="--", linewidth=1.2)
        axis.axhspan(one.low, one.high, color=MODELS[name], alpha=0.12, linewidth=0)
    axis.set_ylim(min(0.0, axis.get_ylim()[0]), max(1.02, axis.get_ylim()[1]))
    _label_models(axis, found)
    legend(axis)


def _label_models(axis: Axes, found: Mapping[str, Estimate]) -> None:
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
    titled(axis, "Distance to the teacher, entropy", "step", "nats per token")
    line(axis, steps, "policy/kl_teacher", "KL(policy || teacher)", color=BLUE)
    line(axis, steps, "policy/entropy", "entropy of the policy", color=AMBER)
    axis.set_ylim(min(0.0, axis.get_ylim()[0]))
    legend(axis)


def _shares(axis: Axes, steps: Sequence[StepReport]) -> None:
    titled(axis, "Where clip and clamp bind", "step", "share of tokens")
    sides = {"clip_low": GREY, "clip_high": RED, "clamp_low": BLUE, "clamp_high": AMBER}
    for side, color in sides.items():
        line(axis, steps, f"policy/{side}_share", side.replace("_", " "), color=color)
    axis.set_ylim(0)
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    legend(axis, columns=4)


def _stages(axis: Axes, report: Report) -> None:
    titled(axis, "Time by stage", "seconds", "")
    ordered = sorted(report.stage_seconds.items(), key=lambda item: item[1])
    bars = axis.barh([name for name, _ in ordered], [value for _, value in ordered], color=BLUE)
    whole = sum(report.stage_seconds.values()) or 1.0
    labels = [f"{value:,.1f} s, {value / whole:.0%}" for _, value in ordered]
    axis.bar_label(bars, labels, padding=3, fontsize=8)
    axis.margins(x=0.3)
    axis.grid(visible=False, axis="y")
