"""The pictures of a cell: learning curves of all methods, and of rlad by alpha."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.methods.entrants import ALPHA, METHODS, OFFLINE, alpha_name
from benchmarks.methods.outcome import Trained
from benchmarks.methods.plan import Findings, spent_before
from benchmarks.methods.statistics import interval, shares
from benchmarks.methods.tables import tests_after_all_steps
from rkd_online.evaluation.axes import BLUE, GREY, titled

COLORS: Final[Mapping[str, str]] = {
    "grpo": "#7b8794",
    "opd": "#2a6f97",
    "kdrl": "#e09f3e",
    "kdrl-annealed": "#9c6615",
    "rlad": "#d1495b",
    "opd-then-grpo": "#5f8f3f",
    "sft": "#8d6a9f",
}
PANELS: Final = (
    ("policy/kl_teacher", "KL(policy || teacher)", "nats per token"),
    ("policy/entropy", "Entropy of the policy", "nats per token"),
    ("rollout/completion_length", "Length of a completion", "tokens"),
)
SIDES: Final = {"low": ":", "high": "-"}
SMOOTH: Final = 5
"""Steps in the moving mean of what is measured on a step's rollouts."""


def draw_methods(found: Findings, path: Path) -> None:
    """Validation by steps and by core-seconds; distances, lengths, where clip and clamp bind."""
    figure = Figure(figsize=(14, 12), layout="constrained")
    axes = figure.subplots(3, 2)
    title = f"{found.cell.title}: mean and range of the seeds"
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    _validation(axes[0][0], found, "step", lambda name, one: range(1, one.steps + 1))
    _validation(axes[0][1], found, "core-seconds", _spent(found))
    for axis, (metric, title, unit) in zip(axes.flat[2:5], PANELS, strict=True):
        titled(axis, title, "step", unit)
        for name in METHODS:
            # An offline method's rollouts are the teacher's.
            if name != OFFLINE or not metric.startswith("rollout/"):
                _curve(axis, name, found.trained[name], metric)
        axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
    _binding(axes[2][1], found)
    for axis in (axes[0][0], *axes.flat[2:]):
        axis.set_xlim(0, found.trained["grpo"][0].compared + 1)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def _spent(found: Findings) -> Callable[[str, Trained], Sequence[float]]:
    def seconds(name: str, one: Trained) -> Sequence[float]:
        start, price = spent_before(found.prices, name), found.prices.steps[name]
        return [start + price * step for step in range(1, one.steps + 1)]

    return seconds


def _validation(
    axis: Axes, found: Findings, x: str, places: Callable[[str, Trained], Sequence[float]]
) -> None:
    titled(axis, "pass@1 on validation prompts", x, "")
    models = {
        "teacher": (found.baseline.teacher, BLUE),
        "student before": (found.baseline.student, GREY),
    }
    for label, (model, color) in models.items():
        value = float(shares([model]).mean())
        axis.axhline(value, color=color, linestyle="--", linewidth=1)
        axis.annotate(f" {label}, test", (1, value), xycoords=("axes fraction", "data"),
                      color=color, fontsize=8, va="center", annotation_clip=False)  # fmt: skip
    for name in METHODS:
        trained = found.trained[name]
        steps = sorted(trained[0].validated())
        values = np.array([[one.validated()[step] for step in steps] for one in trained])
        where = np.array([[places(name, one)[step - 1] for step in steps] for one in trained])
        _band(axis, name, where.mean(axis=0), values)


def _curve(
    axis: Axes, name: str, trained: Sequence[Trained], metric: str, style: str = "-"
) -> None:
    """A moving mean over the steps that have the metric, in all seeds."""
    if any(metric not in one.curves for one in trained):
        return
    rows = np.array([[np.nan if v is None else v for v in one.curves[metric]] for one in trained])
    known = ~np.isnan(rows).any(axis=0)
    steps = np.flatnonzero(known).astype(np.float64) + 1
    values = np.array([_smooth(row[known]) for row in rows])
    _band(axis, name, steps, values, style)


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value with up to ``SMOOTH - 1`` before it."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - SMOOTH)
    smooth: NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)
    return smooth


def _band(
    axis: Axes, name: str, x: NDArray[np.float64], values: NDArray[np.float64], style: str = "-"
) -> None:
    color = COLORS[name]
    axis.plot(x, values.mean(axis=0), color=color, linestyle=style, linewidth=1.6, label=name)
    if len(values) > 1:
        axis.fill_between(x, values.min(axis=0), values.max(axis=0), color=color, alpha=0.12, lw=0)


def _binding(axis: Axes, found: Findings) -> None:
    titled(axis, "Where clip and rlad's clamp bind (dotted: lower side)", "step", "share of tokens")
    for name in METHODS:
        for side, style in SIDES.items():
            _curve(axis, name, found.trained[name], f"policy/clip_{side}_share", style)
    clamped = [f"policy/clamp_{side}_share" for side in SIDES]
    trained = found.trained["rlad"]
    sides = np.array([[one.curves[side] for side in clamped] for one in trained], dtype=float)
    both = sides.sum(axis=1).mean(axis=0)
    axis.plot(range(1, len(both) + 1), both, color="black", linewidth=1, label="rlad, clamp")
    axis.annotate("rlad, clamp, both sides", (1, both.max()), fontsize=8, va="bottom")
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    axis.margins(y=0.1)
    axis.set_ylim(bottom=0)


def draw_alphas(found: Findings, path: Path) -> None:
    """pass@1 after all steps by alpha, each seed a point."""
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axis = figure.subplots()
    titled(axis, f"rlad by alpha: {found.cell.title}", "alpha (1 is grpo)", "pass@1, test")
    alphas = sorted({*found.effort.alphas, ALPHA})
    tests = [tests_after_all_steps(found, alpha_name(alpha)) for alpha in alphas]
    means = [interval(shares(one)) for one in tests]
    for alpha, one in zip(alphas, tests, strict=True):
        axis.plot([alpha] * len(one), shares(one).mean(axis=1), "o", color=GREY, markersize=4)
    axis.errorbar(
        alphas,
        [one.value for one in means],
        yerr=[[one.value - one.low for one in means], [one.high - one.value for one in means]],
        color=COLORS["rlad"], marker="o", capsize=3,
    )  # fmt: skip
    grpo = float(shares(tests_after_all_steps(found, "grpo")).mean())
    axis.axhline(grpo, color=COLORS["grpo"], linestyle="--", linewidth=1)
    axis.annotate(" grpo", (1, grpo), xycoords=("axes fraction", "data"), color=COLORS["grpo"],
                  va="center", annotation_clip=False)  # fmt: skip
    figure.savefig(path, dpi=100)
