"""The report as a picture."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from rkd_online.evaluation.measurement import PassAt1
from rkd_online.evaluation.report import Report
from rkd_online.types import StepReport

TEACHER, BEFORE, AFTER, OTHER = "#2a6f97", "#8d99ae", "#d1495b", "#edae49"


def draw_report(report: Report, steps: Sequence[StepReport], path: Path) -> None:
    """Learning curve, distance to the teacher, clip and clamp, time by stage, as one PNG."""
    figure, axes = plt.subplots(2, 2, figsize=(12, 8), layout="constrained")
    figure.suptitle(report.summary, fontsize=14, fontweight="bold")
    _learning(axes[0][0], report, steps)
    _distance(axes[0][1], steps)
    _shares(axes[1][0], steps)
    _stages(axes[1][1], report)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _learning(axis: Axes, report: Report, steps: Sequence[StepReport]) -> None:
    axis.set_title("Reward of training rollouts, pass@1 of held-out prompts")
    _line(axis, steps, "reward/mean", "reward, training", color=OTHER)
    validated = [step for step in steps if "validation/pass_at_1" in step.metrics]
    _line(axis, validated, "validation/pass_at_1", "pass@1, validation", color=AFTER, marker="o")
    rows = (("teacher", TEACHER), ("student_before", BEFORE), ("student_after", AFTER))
    for row, color in rows:
        found: PassAt1 | None = getattr(report.pass_at_1, row)
        if found is not None:
            label = f"{row.replace('_', ' ')}, test: {found.value:.2f}"
            axis.axhline(found.value, color=color, linestyle="--", linewidth=1.2, label=label)
            axis.axhspan(found.low, found.high, color=color, alpha=0.12, linewidth=0)
    axis.set_ylim(-0.02, 1.05)
    axis.set_xlabel("step")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=8, frameon=False)


def _distance(axis: Axes, steps: Sequence[StepReport]) -> None:
    axis.set_title("Distance to the teacher and entropy")
    _line(axis, steps, "policy/kl_teacher", "reverse KL to the teacher", color=TEACHER)
    _line(axis, steps, "policy/entropy", "entropy of the policy", color=OTHER)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("step")
    axis.set_ylabel("nats per token")
    axis.legend(frameon=False, fontsize=8)


def _shares(axis: Axes, steps: Sequence[StepReport]) -> None:
    axis.set_title("Where clip and clamp bind")
    for metric, color in (("clip_low", BEFORE), ("clip_high", AFTER), ("clamp_low", TEACHER),
                          ("clamp_high", OTHER)):  # fmt: skip
        _line(axis, steps, f"policy/{metric}_share", metric.replace("_", " "), color=color)
    axis.set_ylim(bottom=0)
    axis.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0, decimals=None))
    axis.set_xlabel("step")
    axis.set_ylabel("share of tokens")
    axis.legend(frameon=False, fontsize=8)


def _stages(axis: Axes, report: Report) -> None:
    axis.set_title(f"Time by stage over {report.steps} steps")
    ordered = sorted(report.stage_seconds.items(), key=lambda item: item[1])
    bars = axis.barh([name for name, _ in ordered], [value for _, value in ordered], color=TEACHER)
    axis.bar_label(bars, fmt="%.1f s", padding=3, fontsize=8)
    axis.margins(x=0.12)
    axis.set_xlabel("seconds")


def _line(
    axis: Axes,
    steps: Sequence[StepReport],
    metric: str,
    label: str,
    *,
    color: str,
    marker: str | None = None,
) -> None:
    points = [(step.step, step.metrics[metric]) for step in steps if metric in step.metrics]
    if points:
        axis.plot(*zip(*points, strict=True), label=label, color=color, marker=marker)
