"""Commands about what a job leaves behind: report, trace."""

from pathlib import Path
from typing import Annotated

import typer

from rkd_online.cli.documents import show_document
from rkd_online.cli.hints import DEFAULT_URL
from rkd_online.cli.options import AsJson, Folder, JobId, Url

Png = Annotated[
    Path | None, typer.Option(help="Also copy the plot into this file.", metavar="FILE")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write, compressed if its name ends in .gz; - is standard output.",
        metavar="FILE",
        show_default="JOB.trace.json",
    ),
]


def report(
    job: JobId,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
    png: Png = None,
    folder: Folder = None,
) -> None:
    """Show what a finished job gained: table, JSON or plot."""
    from rkd_online.cli.reports import read_report, show_report, write_plot

    found = read_report(job, url, folder)
    if as_json:
        show_document(found.model_dump(mode="json"))
    else:
        show_report(found)
    if png is not None:
        write_plot(job, url, folder, png)
        typer.echo(f"plot: {png}", err=as_json)


def trace(
    job: JobId,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
    output: Output = None,
    folder: Folder = None,
) -> None:
    """Show where the time of a job goes, and write its trace for Perfetto or Chrome.

    Of a job that runs: its steps so far. With --json what sums it up is printed, not a table.
    """
    from rkd_online.cli.targets import STDOUT
    from rkd_online.cli.traces import read_trace, save_trace, show_trace

    target = output or Path(f"{job}.trace.json")
    summary = save_trace(read_trace(job, url, folder), target)
    if not as_json:
        show_trace(summary, target)
    elif target != STDOUT:
        show_document({"trace": str(target), **summary.model_dump()})
