"""``rkd audit``: what was done, and by which key."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from rkd_online.cli.connection import connect
from rkd_online.cli.documents import one_page, show_document
from rkd_online.cli.hints import DEFAULT_URL
from rkd_online.cli.lines import complain, show_lines
from rkd_online.cli.options import All, AsJson, OfProject, Url

if TYPE_CHECKING:
    from rkd_online.service.schemas.access import AuditRecord

MOST = 1000
NAMES = ("number", "at", "key", "action", "target", "project", "from", "more")
Limit = Annotated[int, typer.Option(min=1, max=MOST, metavar="N", help="How many, newest first.")]


def audit(
    project: OfProject = None,
    limit: Limit = 100,
    all_of_them: All = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what was done, newest first; needs an admin's key."""
    client = connect(url)
    if all_of_them:
        page = one_page(client.all_audit(project=project, limit=MOST))
    else:
        page = client.audit(project=project, limit=limit)
    if as_json:
        show_document(page)
        return
    show_lines([NAMES, *map(_row, page.data)])
    if page.has_more:
        complain(
            f"[dim]the newest {len(page.data)}; --limit shows up to {MOST}, --all every one[/]"
        )


def _row(entry: "AuditRecord") -> tuple[str, ...]:
    return (
        str(entry.number),
        f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}",
        entry.actor,
        entry.action,
        entry.target,
        entry.project or "",
        entry.address,
        json.dumps(entry.data) if entry.data else "",
    )
