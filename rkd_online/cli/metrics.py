"""``rkd metrics``: what a job's steps reported."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from rkd_online.cli.connection import connect
from rkd_online.cli.documents import show_document
from rkd_online.cli.hints import DEFAULT_URL
from rkd_online.cli.lines import room_beside, say, show_table
from rkd_online.cli.options import AsJson, JobId, Url
from rkd_online.cli.sparkline import sparkline

if TYPE_CHECKING:
    from rkd_online.client import Client
    from rkd_online.service.schemas.metrics import MetricRecord, Series

AT_ONCE = 20
"""Metrics that one request can bring."""
LEAST_BARS, MOST_BARS = 8, 30
NAMES = ("metric", "unit", "steps", "first", "last", "least", "largest")
Wanted = Annotated[
    list[str] | None,
    typer.Argument(
        help="Metrics; a name that ends with / is all below it. Without any: all there are.",
        metavar="NAME...",
        show_default=False,
    ),
]
FromStep = Annotated[int | None, typer.Option("--from", min=0, metavar="STEP", help="First step.")]
ToStep = Annotated[int | None, typer.Option("--to", min=0, metavar="STEP", help="Last step.")]
Points = Annotated[
    int,
    typer.Option(
        min=1, max=5000, metavar="N", help="Points of a series; of more steps neighbours share one."
    ),
]
Describe = Annotated[
    bool, typer.Option("--describe", metavar="", help="Say what each one means instead.")
]


def metrics(
    job: JobId,
    names: Wanted = None,
    from_step: FromStep = None,
    to_step: ToStep = None,
    points: Points = 500,
    describe: Describe = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the metrics of a job over its steps."""
    from rkd_online.service.schemas.metrics import Metrics

    client = connect(url)
    wanted = _wanted(client, job, names or [""])
    found: list[MetricRecord] = []
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        read = client.metrics(job, some, from_step=from_step, to_step=to_step, max_points=points)
        found.extend(read.data)
    if as_json:
        show_document(Metrics(data=found))
    elif not found:
        say(f"{job} has reported no such metric yet")
    elif describe:
        show_table(("metric", "unit", "what it says"), map(_meaning, found))
    else:
        _show(found)


def _wanted(client: "Client", job: str, names: Sequence[str]) -> list[str]:
    """Whole names, each once, in the order in which they were asked for."""
    if all(name and not name.endswith("/") for name in names):
        return list(dict.fromkeys(names))
    known = [one.name for one in client.metrics(job).data]
    found: list[str] = []
    for name in names:
        below = not name or name.endswith("/")
        found.extend([one for one in known if one.startswith(name)] if below else [name])
    return list(dict.fromkeys(found))


def _show(found: "Sequence[MetricRecord]") -> None:
    """A terminal also gets the course of each."""
    courses = [(one, one.series) for one in found if one.series is not None]
    rows = [_row(one, series) for one, series in courses]
    width = min(room_beside(NAMES, rows), MOST_BARS)
    if not Console().is_terminal or width < LEAST_BARS:
        show_table(NAMES, rows)
        return
    bars = [sparkline(series.mean, width) for _, series in courses]
    show_table((*NAMES, ""), [(*row, bar) for row, bar in zip(rows, bars, strict=True)])


def _row(one: "MetricRecord", series: "Series") -> tuple[str, ...]:
    if not series.mean:
        return (one.name, one.unit, "none", "", "", "", "")
    first, last = series.step[0], series.last_step[-1]
    steps = str(first) if first == last else f"{first}-{last}"
    values = (series.mean[0], series.mean[-1], min(series.min), max(series.max))
    return (one.name, one.unit, steps, *(f"{value:.4g}" for value in values))


def _meaning(one: "MetricRecord") -> tuple[str, str, str]:
    return one.name, one.unit, one.description
