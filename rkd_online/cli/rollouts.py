"""``rkd rollouts``: what a job learned from."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from rkd_online.cli.amounts import finite
from rkd_online.cli.connection import connect
from rkd_online.cli.documents import one_page, show_document
from rkd_online.cli.hints import DEFAULT_URL
from rkd_online.cli.lines import complain, say, show_sheet, show_table
from rkd_online.cli.options import All, AsJson, JobId, Url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rkd_online.service.schemas.rollout import RolloutRecord, RolloutTokens

MOST = 100
SHOWN = 60
"""Characters of a completion in a table."""
NAMES = ("rollout", "task", "correct", "reward", "advantage", "tokens", "end", "completion")
One = Annotated[
    str | None,
    typer.Argument(
        help="One rollout, as the list names it: all of it.", metavar="ROLLOUT", show_default=False
    ),
]
Step = Annotated[int | None, typer.Option(min=0, metavar="N", help="Only of this step.")]
Group = Annotated[int | None, typer.Option(min=0, metavar="N", help="Only of this prompt's group.")]
MinReward = Annotated[
    float | None, typer.Option(callback=finite, metavar="X", help="Only with this reward or more.")
]
MaxReward = Annotated[
    float | None, typer.Option(callback=finite, metavar="X", help="Only with this reward or less.")
]
Correct = Annotated[bool | None, typer.Option("--correct/--wrong", metavar="", help="Only these.")]
Task = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only of this task, or part of a mixture.")
]
Limit = Annotated[
    int, typer.Option(min=1, max=MOST, metavar="N", help="How many, newest step first.")
]


def rollouts(
    job: JobId,
    rollout: One = None,
    step: Step = None,
    group: Group = None,
    min_reward: MinReward = None,
    max_reward: MaxReward = None,
    correct: Correct = None,
    task: Task = None,
    limit: Limit = 20,
    all_of_them: All = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List the rollouts that a job learned from, or show one whole."""
    if rollout is not None:
        _show_one(connect(url).rollout(job, rollout), as_json)
        return
    wanted: dict[str, Any] = {
        "step": step,
        "group": group,
        "min_reward": min_reward,
        "max_reward": max_reward,
        "correct": correct,
        "task": task,
    }
    client = connect(url)
    if all_of_them:
        page = one_page(client.all_rollouts(job, **wanted, limit=MOST))
    else:
        page = client.rollouts(job, **wanted, limit=limit)
    if as_json:
        show_document(page)
        return
    if not page.data and not page.has_more:
        say(f"{job} keeps no such rollout")
        return
    show_table(NAMES, map(_row, page.data))
    if page.has_more:
        complain(f"[dim]there are more: --limit shows up to {MOST}, --all every one[/]")


def _row(one: "RolloutRecord") -> tuple[str | Text, ...]:
    text = " ".join((one.completion or one.failure or "").split())
    return (
        one.id,
        one.task,
        _verdict(one),
        _number(one.reward),
        _number(one.advantage),
        str(one.completion_tokens),
        one.finish_reason,
        text if len(text) <= SHOWN else f"{text[:SHOWN]}…",
    )


def _verdict(one: "RolloutRecord") -> Text:
    if one.failure:
        return Text("failed", "yellow")
    if one.correct is None:
        return Text("")
    return Text("yes", "green") if one.correct else Text("no", "red")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _show_one(one: "RolloutTokens", as_json: bool) -> None:
    if as_json:
        show_document(one)
        return
    show_sheet(_rows(one))
    typer.echo(f"\nprompt\n{one.prompt or one.prompt_ids}")
    typer.echo(f"\ncompletion\n{one.completion or one.completion_ids}")


def _rows(one: "RolloutTokens") -> "Iterator[tuple[str, str | Text]]":
    yield "rollout", one.id
    yield "problem", f"{one.prompt_id}, {one.task}, {one.difficulty}"
    yield "reference", one.answer
    yield "correct", _verdict(one)
    yield "reward", _number(one.reward)
    parts = (one.reward_parts or {}).items()
    yield "parts", ", ".join(f"{name} {value:g}" for name, value in parts)
    yield "advantage", _number(one.advantage)
    yield "failure", one.failure or ""
    yield "tokens", f"{one.prompt_tokens} + {one.completion_tokens}, {one.finish_reason}"
    spans = (f"{span.version} ({span.end - span.start})" for span in one.weight_versions)
    yield "weights", ", ".join(spans)
    for name, values in _logprobs(one):
        yield name, f"{sum(values) / len(values):.3f} a token"


def _logprobs(one: "RolloutTokens") -> "Iterator[tuple[str, list[float]]]":
    """By whom; --json has them token by token."""
    found = {"sampler": one.sampler_logprobs, "old": one.old_logprobs}
    found["teacher"] = one.teacher_logprobs
    for name, values in found.items():
        if values:
            yield f"{name} log-prob", values
