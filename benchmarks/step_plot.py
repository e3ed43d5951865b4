"""The step benchmark as a picture: rollouts per second over TRL's, by case."""

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import ROOT
from benchmarks.step_page import PIPELINED, SIDES, SYNCHRONOUS, TRL, Measured

PICTURE: Final = ROOT / "docs" / "images" / "step-time.png"
COLORS: Final = {TRL: "#7b8794", SYNCHRONOUS: "#e09f3e", PIPELINED: "#d1495b"}
WIDTH: Final = 0.26


def draw(found: Sequence[Measured]) -> str:
    """Write the PNG; returns the line that shows it on the page."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    step_figure(found).savefig(PICTURE, dpi=110)
    return f"![Rollouts per second over TRL's](images/{PICTURE.name})"


def step_figure(found: Sequence[Measured]) -> Figure:
    """Three bars a case, each with its rollouts per second, and a mark at the goal."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    axis = figure.subplots()
    for place, side in enumerate(SIDES):
        _bars(axis, found, side, (place - 1) * WIDTH)
    for place, one in enumerate(found):
        end = place + 1.5 * WIDTH
        goal = one.case.at_least
        axis.hlines(goal, end - WIDTH, end, colors="black", linewidth=2)
    axis.plot([], [], color="black", linewidth=2, label="goal, pipelined")
    axis.set_xticks(range(len(found)), [one.case.name for one in found])
    axis.set_ylabel("rollouts per second, TRL = 1")
    axis.set_title("A GRPO step on the same cores (numbers: rollouts per second)", loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    return figure


def _bars(axis: Axes, found: Sequence[Measured], side: str, shift: float) -> None:
    places = [place + shift for place in range(len(found))]
    bars = axis.bar(
        places, [one.ratio(side) for one in found], WIDTH, color=COLORS[side], label=side
    )
    speeds = [f"{one.times[side].rollouts_per_second:,.3g}" for one in found]
    axis.bar_label(bars, speeds, padding=2, fontsize=8)
