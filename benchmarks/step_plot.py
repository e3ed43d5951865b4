"""The step benchmark as a picture: rollouts per second over TRL's, by case."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import ROOT, Goal, Result
from benchmarks.step_cases import CASES
from benchmarks.step_page import PIPELINED, SIDES, SYNCHRONOUS, TRL

PICTURE: Final = ROOT / "docs" / "images" / "step-time.png"
SHOWN: Final = f"![Rollouts per second over TRL's](images/{PICTURE.name})"
COLORS: Final = {TRL: "#7b8794", SYNCHRONOUS: "#e09f3e", PIPELINED: "#d1495b"}
WIDTH: Final = 0.26


@dataclass(frozen=True, slots=True)
class Bars:
    """A case as it is drawn: rollouts per second of each side, and the least ratio to TRL's."""

    name: str
    speeds: dict[str, float]
    goal: float


def steps_of(results: Sequence[Result]) -> list[Result]:
    """Those of the step benchmark, in the order of its cases."""
    found = {one.name: one for one in results}
    return [found[case.benchmark] for case in CASES.values() if case.benchmark in found]


def draw(steps: Sequence[Result]) -> None:
    """Write the PNG."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    step_figure([bars(one) for one in steps]).savefig(PICTURE, dpi=110)


def bars(one: Result) -> Bars:
    """What a kept result says in its rows."""
    (name,) = (case.name for case in CASES.values() if case.benchmark == one.name)
    speeds = {row.what: row.value for row in one.rows if row.unit == "rollouts/s"}
    (goal,) = (row.limit for row in one.rows if isinstance(row, Goal))
    return Bars(name, {side: speeds[f"{name}: {side}"] for side in SIDES}, goal)


def step_figure(found: Sequence[Bars]) -> Figure:
    """Three bars a case, each with its rollouts per second, and a mark at the goal."""
    figure = Figure(figsize=(max(7, 2.2 * len(found)), 4.5), layout="constrained")
    axis = figure.subplots()
    for place, side in enumerate(SIDES):
        _bars(axis, found, side, (place - 1) * WIDTH)
    for place, one in enumerate(found):
        end = place + 1.5 * WIDTH
        axis.hlines(one.goal, end - WIDTH, end, colors="black", linewidth=2)
    axis.plot([], [], color="black", linewidth=2, label="goal, pipelined")
    axis.set_xticks(range(len(found)), [one.name for one in found])
    axis.set_ylabel("rollouts per second, TRL = 1")
    axis.set_title("A GRPO step on the same cores (numbers: rollouts per second)", loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside lower center", ncols=len(SIDES) + 1)
    return figure


def _bars(axis: Axes, found: Sequence[Bars], side: str, shift: float) -> None:
    places = [place + shift for place in range(len(found))]
    ratios = [one.speeds[side] / one.speeds[TRL] for one in found]
    axis.bar(places, ratios, WIDTH, color=COLORS[side], label=side)
    for place, one in zip(places, found, strict=True):
        # At the foot of its bar no mark crosses it.
        axis.text(place, 0.05, f"{one.speeds[side]:,.4g}", ha="center", va="bottom", fontsize=8)
