"""Commands about jobs of a control plane: submit, watch, list, cancel, report, trace."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from rkd_online.cli.connection import connect
from rkd_online.cli.hints import DEFAULT_URL, hint
from rkd_online.cli.local import INTERRUPTED, SpecPath
from rkd_online.client import Client
from rkd_online.errors import ServiceError
from rkd_online.service.state import Status


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url!r} is no address: it begins with http:// or https://")
    return url.rstrip("/")


Url = Annotated[
    str,
    typer.Option(
        "--url", envvar="RKD_URL", callback=_address, help="Address of the control plane."
    ),
]
JobId = Annotated[
    str, typer.Argument(help="Id of the job, as submit and list print it.", metavar="JOB")
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for programs.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        help="Data folder to read from instead of the control plane: for `rkd run`.",
        metavar="DIR",
    ),
]


def submit(
    spec: SpecPath,
    watch: Annotated[
        bool, typer.Option("--watch", metavar="", help="Follow the job to its end.")
    ] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Submit a job to the control plane."""
    from rkd_online.spec.load import load_spec

    client = connect(url)
    record = client.submit(load_spec(spec).model_dump(mode="json"))
    console = Console()
    console.print(f"submitted [bold]{record.id}[/] ({record.name})", highlight=False)
    if watch:
        _watch(client, record.id, url)
    else:
        console.print(f"follow it with: {hint(f'watch {record.id}', url)}", highlight=False)


def watch(job: JobId, url: Url = DEFAULT_URL) -> None:
    """Follow a job live until it ends; exits with 1 when it did not succeed.

    Ctrl-C ends the watching, not the job.
    """
    with _known(job, url):
        _watch(connect(url), job, url)


def _watch(client: Client, job: str, url: str) -> None:
    try:
        follow(client, job)
    except KeyboardInterrupt:
        Console(stderr=True).print(
            f"{job} goes on. Watch it again: {hint(f'watch {job}', url)}\n"
            f"Stop it: {hint(f'cancel {job}', url)}",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(INTERRUPTED) from None
    words = f"[green]succeeded[/]; what it gained: {hint(f'report {job}', url)}"
    Console().print(words, highlight=False, soft_wrap=True)


def follow(client: Client, job: str) -> None:
    """Show a job's events until its end."""
    from rkd_online.cli.progress import Progress

    record = client.get(job)
    with Progress(steps=int(record.spec["steps"]), title=f"{record.name} · {job}") as progress:
        for event in client.stream(job):
            progress.event(event.type, event.data)
    record = client.get(job)
    if record.status is not Status.SUCCEEDED:
        reason = f": {escape(record.error)}" if record.error else ""
        Console(stderr=True).print(
            f"[bold red]{record.status}[/]{reason}", highlight=False, soft_wrap=True
        )
        raise typer.Exit(1)


def list_jobs(
    url: Url = DEFAULT_URL,
    status: Annotated[
        Status | None,
        typer.Option(help=f"Only these: {', '.join(Status)}.", metavar="STATUS"),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="How many, newest first.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from rkd_online.cli.job_table import show_jobs

    page = connect(url).list(status=status, limit=limit)
    if as_json:
        typer.echo(page.model_dump_json(indent=2))
    else:
        show_jobs(page, status, url)


def cancel(job: JobId, url: Url = DEFAULT_URL) -> None:
    """Stop a job. Its checkpoints stay."""
    with _known(job, url):
        record = connect(url).cancel(job)
    Console().print(f"{record.id} is {record.status}", highlight=False)


def report(
    job: JobId,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
    png: Annotated[
        Path | None, typer.Option(help="Also copy the plot into this file.", metavar="FILE")
    ] = None,
    folder: Folder = None,
) -> None:
    """Show what a finished job gained: table, JSON or plot."""
    from rkd_online.cli.reports import read_report, show_report, write_plot

    with _known(job, url):
        found = read_report(job, url, folder)
    if as_json:
        typer.echo(json.dumps(found.model_dump(mode="json"), indent=2))
    else:
        show_report(found)
    if png is not None:
        write_plot(job, url, folder, png)
        typer.echo(f"plot: {png}", err=as_json)


def trace(
    job: JobId,
    url: Url = DEFAULT_URL,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write, compressed if its name ends in .gz; - is standard output.",
            metavar="FILE",
            show_default="JOB.trace.json",
        ),
    ] = None,
    folder: Folder = None,
) -> None:
    """Show where the time of a job goes, and write its trace for Perfetto or Chrome.

    Of a job that runs: its steps so far.
    """
    from rkd_online.cli.traces import read_trace, save_trace, show_trace

    target = output or Path(f"{job}.trace.json")
    with _known(job, url):
        summary = save_trace(read_trace(job, url, folder), target)
    show_trace(summary, target)


@contextmanager
def _known(job: str, url: str) -> Iterator[None]:
    """Say where the known jobs are listed when this is none of them."""
    try:
        yield
    except ServiceError as error:
        if not str(error).endswith("(job_not_found)"):
            raise
        raise ServiceError(
            f"there is no job {job!r} at {url}: `{hint('list', url)}` shows those that there are"
        ) from error
