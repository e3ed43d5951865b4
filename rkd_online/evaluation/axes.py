"""How every part of the picture is drawn: colours, titles, legends, labels."""

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rkd_online.evaluation.measurement import Estimate
from rkd_online.types import StepReport

BLUE, GREY, RED, AMBER = "#2a6f97", "#7b8794", "#d1495b", "#e09f3e"
MODELS: Final = {"student_before": GREY, "student_after": RED, "teacher": BLUE}
FEW_POINTS = 15
"""Up to this many values of a curve are drawn as points as well."""
APART = 0.18
"""Distance of the models' points on one line of an upright axis."""


def titled(axis: Axes, title: str, x: str, y: str) -> None:
    """Title, names and grid."""
    axis.set_title(title, loc="left", fontweight="bold", fontsize=11)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.grid(color="#e5e7eb", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    if x == "step":
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def legend(axis: Axes, *, columns: int = 2) -> None:
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


def line(
    axis: Axes,
    steps: Sequence[StepReport],
    metric: str,
    label: str,
    *,
    color: str,
    thin: bool = False,
) -> None:
    """The steps that have the metric; where they are few, each is a point, on a line that is not
    ``thin``."""
    points = [(step.step, step.metrics[metric]) for step in steps if metric in step.metrics]
    if points:
        marker = "o" if len(points) <= FEW_POINTS and not thin else ""
        axis.plot(
            *zip(*points, strict=True),
            label=label,
            color=color,
            marker=marker,
            markersize=5,
            linewidth=1.0 if thin else None,
        )


def estimates(axis: Axes, model: str, values: Sequence[Estimate]) -> None:
    """One model's values with their intervals, one below the other from the top."""
    place = list(MODELS).index(model) - 1
    axis.errorbar(
        [one.value for one in values],
        [number + APART * place for number in range(len(values))],
        xerr=[[one.value - one.low for one in values], [one.high - one.value for one in values]],
        fmt="o",
        color=MODELS[model],
        markersize=5,
        capsize=2,
        label=model.replace("_", " "),
    )


def name_lines(axis: Axes, names: Sequence[str]) -> None:
    """Names along the upright axis, the first at the top."""
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
