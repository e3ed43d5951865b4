"""``rkd submit``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rkd_online.cli.amounts import (
    BudgetGpuHours,
    BudgetTokens,
    BudgetWall,
    budget_of,
    budget_values,
)
from rkd_online.cli.connection import connect
from rkd_online.cli.documents import show_document, show_line
from rkd_online.cli.hints import DEFAULT_URL, hint
from rkd_online.cli.lines import say
from rkd_online.cli.local import SpecPath
from rkd_online.cli.options import AsJson, ForProject, Labels, Priority, Url
from rkd_online.cli.pairs import LABELS
from rkd_online.cli.watching import watch_job

if TYPE_CHECKING:
    from rkd_online.service.schemas.job import Validation

Watch = Annotated[bool, typer.Option("--watch", metavar="", help="Follow the job to its end.")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", metavar="", help="Let the control plane check it, and queue nothing."
    ),
]


def submit(
    spec: SpecPath,
    project: ForProject = None,
    label: Labels = None,
    priority: Priority = None,
    budget_wall: BudgetWall = None,
    budget_tokens: BudgetTokens = None,
    budget_gpu_hours: BudgetGpuHours = None,
    watch: Watch = False,
    dry_run: DryRun = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Submit a job to the control plane."""
    from rkd_online.spec.load import load_spec

    body = load_spec(spec).model_dump(mode="json")
    about: dict[str, Any] = {
        "project": project,
        "labels": LABELS.read(label) or None,
        "priority": priority,
        "budget": budget_of(budget_values(budget_wall, budget_tokens, budget_gpu_hours)),
    }
    client = connect(url)
    if dry_run:
        _show_verdict(client.validate(body, **about), as_json)
        return
    record = client.submit(body, **about)
    if not as_json:
        say(f"submitted [bold]{record.id}[/] ({record.name})")
    elif watch:
        show_line(record)
    else:
        show_document(record)
    if watch:
        watch_job(client, record.id, as_json)
    elif not as_json:
        say(f"follow it with: {hint(f'watch {record.id}', url)}")


def _show_verdict(checked: "Validation", as_json: bool) -> None:
    if as_json:
        show_document(checked)
    else:
        typer.echo(checked.plan)
        say(checked.verdict.detail)
    if checked.verdict.fits is False:
        raise typer.Exit(1)
