"""``rkd change``: new values for a job that waits, runs or is paused."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rkd_online.cli.amounts import (
    NONE,
    BudgetGpuHours,
    BudgetTokens,
    BudgetWall,
    budget_of,
    budget_text,
    budget_values,
    finite,
)
from rkd_online.cli.connection import connect
from rkd_online.cli.documents import show_document
from rkd_online.cli.hints import DEFAULT_URL
from rkd_online.cli.lines import labels_text, say, show_sheet
from rkd_online.cli.options import AsJson, JobId, Labels, Priority, Url
from rkd_online.cli.pairs import LABELS

if TYPE_CHECKING:
    from rkd_online.client import Client
    from rkd_online.service.schemas.job import Budget, JobRecord

PLACES = {
    "learning_rate": ("optimizer", "learning_rate"),
    "alpha": ("algorithm", "alpha"),
    "clip_low": ("algorithm", "clip_low"),
    "clip_high": ("algorithm", "clip_high"),
    "steps": ("steps",),
    "evaluation_every": ("evaluation", "every"),
}
"""Where a spec has what can be changed of it."""
SPEC = "Of the run, from its next step on"
LearningRate = Annotated[
    float | None,
    typer.Option(callback=finite, metavar="VALUE", help="Learning rate.", rich_help_panel=SPEC),
]
Coefficient = Annotated[
    float | None,
    typer.Option(
        callback=finite,
        metavar="VALUE",
        help="Of every algorithm of the job that has it.",
        rich_help_panel=SPEC,
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Steps of the whole job.", rich_help_panel=SPEC),
]
EvaluationEvery = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="N", help="Steps between evaluations, 0 for none.", rich_help_panel=SPEC
    ),
]
NoLabel = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Take this label away; may be given several times."),
]
NoBudget = Annotated[
    bool, typer.Option("--no-budget", metavar="", help="Take the whole budget away.")
]


def change(
    job: JobId,
    learning_rate: LearningRate = None,
    alpha: Coefficient = None,
    clip_low: Coefficient = None,
    clip_high: Coefficient = None,
    steps: Steps = None,
    evaluation_every: EvaluationEvery = None,
    priority: Priority = None,
    label: Labels = None,
    no_label: NoLabel = None,
    budget_wall: BudgetWall = None,
    budget_tokens: BudgetTokens = None,
    budget_gpu_hours: BudgetGpuHours = None,
    no_budget: NoBudget = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Change a job that waits, runs or is paused; what is not named stays as it is.

    Where somebody else changes the job at the same time, this change is not made.
    """
    values = {
        "learning_rate": learning_rate,
        "alpha": alpha,
        "clip_low": clip_low,
        "clip_high": clip_high,
        "steps": steps,
        "evaluation_every": evaluation_every,
        "priority": priority,
    }
    new: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    labels, gone = LABELS.read(label), no_label or []
    limits = budget_values(budget_wall, budget_tokens, budget_gpu_hours)
    if not (new or labels or gone or limits or no_budget):
        raise typer.BadParameter("nothing is changed: --help shows what can be")
    client = connect(url)
    record = client.get(job)
    if labels or gone:
        kept = record.labels | labels
        new["labels"] = {name: value for name, value in kept.items() if name not in gone}
    if limits or no_budget:
        new["budget"] = _budget(record, limits, keep=not no_budget)
    if not as_json:
        show_sheet((name, f"{_now(record, name)} -> {_text(new[name])}") for name in new)
    changed = _changed(client, record, new)
    if as_json:
        show_document(changed)
    else:
        say(f"{changed.id} is changed, and {changed.status}")


def _budget(record: "JobRecord", limits: dict[str, float], *, keep: bool) -> "Budget | None":
    """The API takes a whole budget: what is not named of it stays."""
    before = record.budget.model_dump() if record.budget and keep else {}
    return budget_of(before | limits)


def _changed(client: "Client", record: "JobRecord", new: dict[str, Any]) -> "JobRecord":
    from rkd_online.cli.refusals import unless_changed

    with unless_changed(record.id, f"show {record.id}", client.url):
        return client.change(record, **new)


def _now(record: "JobRecord", name: str) -> str:
    if name not in PLACES:
        return _text(getattr(record, name))
    found: Any = record.spec
    for part in PLACES[name]:
        # A job with phases has no algorithm of its own, and not every algorithm every value.
        found = found.get(part) if isinstance(found, dict) else None
    return _text(found)


def _text(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, dict):
        return labels_text(value) or NONE
    return f"{value:.10g}" if isinstance(value, int | float) else budget_text(value)
