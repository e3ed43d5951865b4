"""Commands about jobs of a control plane: submit, watch, list, cancel, report."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rkd_online.client import Client

Url = Annotated[str, typer.Option("--url", envvar="RKD_URL", help="Address of the control plane.")]
DEFAULT_URL = "http://127.0.0.1:8420"
JobId = Annotated[str, typer.Argument(help="Id of the job, as submit and list print it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def submit(
    spec: Annotated[Path, typer.Argument(help="The job: YAML or JSON.")],
    watch: Annotated[bool, typer.Option("--watch", help="Follow the job to its end.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Submit a job to the control plane."""
    from rkd_online.spec.load import load_spec

    client = Client(url)
    record = client.submit(load_spec(spec).model_dump(mode="json"))
    console = Console()
    console.print(f"submitted [bold]{record.id}[/] ({record.name})")
    console.print(f"follow it with: rkd watch {record.id}", highlight=False)
    if watch:
        follow(client, record.id)


def watch(job: JobId, url: Url = DEFAULT_URL) -> None:
    """Follow a job live until it ends; exits with 1 when it did not succeed."""
    follow(Client(url), job)


def follow(client: Client, job: str) -> None:
    """Show a job's events until its end."""
    from rkd_online.cli.progress import Progress

    record = client.get(job)
    with Progress(steps=int(record.spec["steps"]), title=f"{record.name} · {job}") as progress:
        for event in client.stream(job):
            progress.event(event.type, event.data)
    record = client.get(job)
    if record.status != "succeeded":
        Console(stderr=True).print(f"[bold red]{record.status}[/]: {record.error or 'see events'}")
        raise typer.Exit(1)


def list_jobs(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List jobs, newest first."""
    page = Client(url).list()
    if as_json:
        typer.echo(page.model_dump_json(indent=2))
        return
    table = Table("job", "name", "status", "step", "created")
    for record in page.data:
        step = record.progress.report.step if record.progress else 0
        table.add_row(
            record.id,
            record.name,
            str(record.status),
            f"{step}/{record.spec['steps']}",
            f"{record.created_at:%Y-%m-%d %H:%M}",
        )
    Console().print(table)


def cancel(job: JobId, url: Url = DEFAULT_URL) -> None:
    """Stop a job. Its checkpoints stay."""
    record = Client(url).cancel(job)
    Console().print(f"{record.id} is {record.status}")


def report(
    job: JobId,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
    png: Annotated[Path | None, typer.Option(help="Also draw the plot into this file.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Data folder to read from instead of the control plane.")
    ] = None,
) -> None:
    """Show what a finished job gained: table, JSON or plot."""
    from rkd_online.cli.reports import copy_plot, read_report, show_report

    found = read_report(job, url, folder)
    if as_json:
        typer.echo(json.dumps(found.model_dump(mode="json"), indent=2))
    else:
        show_report(found)
    if png is not None:
        copy_plot(job, url, folder, png)
        typer.echo(f"plot: {png}", err=as_json)
