"""``rkd events``: what happened to a job."""

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from rkd_online.cli.connection import connect
from rkd_online.cli.documents import one_page, show_document, show_line
from rkd_online.cli.event_words import event_words
from rkd_online.cli.hints import DEFAULT_URL
from rkd_online.cli.lines import complain, show_lines
from rkd_online.cli.options import All, AsJson, JobId, Url

if TYPE_CHECKING:
    from rkd_online.client import Client
    from rkd_online.service.schemas.event import Event

MOST = 1000
"""Events that one request can bring."""
NAMES = ("number", "at", "attempt", "event")
After = Annotated[int, typer.Option(min=0, metavar="NUMBER", help="Only those behind this one.")]
Limit = Annotated[int, typer.Option(min=1, max=MOST, metavar="N", help="How many, oldest first.")]
Follow = Annotated[
    bool,
    typer.Option(
        "--follow", "-f", metavar="", help="Go on until the job ends; --json prints lines."
    ),
]


def events(
    job: JobId,
    after: After = 0,
    limit: Limit = 100,
    all_of_them: All = False,
    follow: Follow = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what happened to a job, step by step."""
    client = connect(url)
    if follow:
        _follow(client, job, after, as_json)
        return
    if all_of_them:
        page = one_page(client.all_events(job, after, MOST))
    else:
        page = client.events(job, after, limit)
    if as_json:
        show_document(page)
        return
    show_lines([NAMES, *map(_row, page.data)])
    if page.has_more:
        complain(f"[dim]there are more: --after {page.next} shows them, --all every one[/]")


def _follow(client: "Client", job: str, after: int, as_json: bool) -> None:
    console = Console()
    with closing(client.stream(job, after)) as found:
        for event in found:
            if as_json:
                show_line(event)
            else:
                console.print(Text("  ".join(_row(event))), soft_wrap=True)


def _row(event: "Event") -> tuple[str, ...]:
    at = f"{event.at.astimezone():%Y-%m-%d %H:%M:%S}"
    return str(event.number), at, str(event.attempt), event_words(event.type, event.data)
