"""``rkd watch``: a job followed until it ends or is paused."""

from contextlib import closing
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from rkd_online.cli.connection import connect
from rkd_online.cli.documents import show_line
from rkd_online.cli.hints import DEFAULT_URL, hint
from rkd_online.cli.lines import complain, say
from rkd_online.cli.local import INTERRUPTED
from rkd_online.cli.options import AsJson, JobId, Url
from rkd_online.service.state import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from rkd_online.client import Client
    from rkd_online.service.schemas.event import Event
    from rkd_online.service.schemas.job import JobRecord

PAUSED = 3
"""Exit code where a job is paused: it has neither succeeded nor failed."""


def watch(job: JobId, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Follow a job live until it ends or is paused.

    Exits with 1 where it did not succeed, with 3 where it is paused.
    Ctrl-C ends the watching, not the job. With --json each event is a line.
    """
    watch_job(connect(url), job, as_json)


def watch_job(client: "Client", job: str, as_json: bool) -> None:
    """Follow a job, and say what to type where that ends."""
    try:
        if as_json:
            _judge(_followed(client, job, show_line), client.url)
        else:
            follow(client, job)
    except KeyboardInterrupt:
        complain(
            f"{job} goes on. Watch it again: {hint(f'watch {job}', client.url)}\n"
            f"Stop it: {hint(f'cancel {job}', client.url)}"
        )
        raise typer.Exit(INTERRUPTED) from None
    if not as_json:
        say(f"[green]succeeded[/]; what it gained: {hint(f'report {job}', client.url)}")


def follow(client: "Client", job: str) -> None:
    """Show a job's events until its end. Raises Exit where it did not succeed."""
    from rkd_online.cli.progress import Progress

    record = client.get(job)
    with Progress(steps=int(record.spec["steps"]), title=f"{record.name} · {job}") as progress:
        record = _followed(client, job, lambda event: progress.event(event.type, event.data))
    _judge(record, client.url)


def _followed(client: "Client", job: str, show: "Callable[[Event], None]") -> "JobRecord":
    """A pause may be one of long ago, so the job itself is asked whether it is paused now."""
    with closing(client.stream(job)) as events:
        for event in events:
            show(event)
            if event.type == "status" and event.data["status"] == Status.PAUSED:
                record = client.get(job)
                if record.status is Status.PAUSED:
                    return record
    return client.get(job)


def _judge(record: "JobRecord", url: str) -> None:
    if record.status is Status.PAUSED:
        complain(
            f"[bold yellow]paused[/]. Go on with it: {hint(f'resume {record.id}', url)}\n"
            f"Watch it again: {hint(f'watch {record.id}', url)}"
        )
        raise typer.Exit(PAUSED)
    if record.status is not Status.SUCCEEDED:
        reason = f": {escape(record.error)}" if record.error else ""
        complain(f"[bold red]{record.status}[/]{reason}")
        raise typer.Exit(1)
