"""A plan for people: models, memory by actor, a step, and a split of the GPUs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import yaml
from rich.text import Text

from rkd_online.cli.lines import say, show_table
from rkd_online.cli.sizes import gib
from rkd_online.spec.sizing.parts import count_words

if TYPE_CHECKING:
    from rkd_online.spec.sizing.document import ActorSize, Load, Plan, Seconds, Suggestion

Row = tuple[str | Text, ...]
MODELS = ("model", "parameters", "a token meets", "KV of a token", "known from")
MEMORY = ("actor", "size", "how")
STEP = ("a step", "longest", "mean")


def show_plan_tables(plan: "Plan") -> None:
    """Print all of them."""
    say(f"[bold]{plan.job}[/] {_where(plan)}\n")
    show_table(MODELS, _models(plan))
    say("")
    show_table(MEMORY, _memory(plan))
    say("")
    show_table(STEP, _step(*plan.loads))
    if plan.suggestion is not None:
        _show_suggestion(plan.suggestion)
    say("")
    for one in plan.assumptions:
        say(f"[dim]- {one}[/]")


def _where(plan: "Plan") -> str:
    if plan.device == "cpu":
        room = "" if plan.room_bytes is None else f" with {gib(plan.room_bytes)}"
        return f"on a CPU{room}"
    assert plan.room_bytes is not None
    return f"on {plan.gpus_of_job:g} GPUs ({plan.gpu}), of each {gib(plan.room_bytes)} may be used"


def _models(plan: "Plan") -> Iterator[Row]:
    for one in plan.models:
        yield (
            f"{one.name}: {_short(one.model)}",
            count_words(one.parameters),
            count_words(one.active_parameters),
            f"{one.kv_bytes_per_token:,} bytes",
            one.source,
        )


def _memory(plan: "Plan") -> Iterator[Row]:
    """Each actor at its peak, with the parts of it; of other moments the sum alone."""
    for actor in plan.actors:
        full = plan.device == "cuda" and plan.room_bytes is not None
        room = f" of {gib(_room(plan, actor))}" if full else ""
        fits = not full or actor.bytes <= _room(plan, actor)
        style = "bold" if fits else "bold red"
        peak = next(one for one in actor.moments if one.name == actor.peak)
        yield Text(_actor(actor), style), Text(f"{gib(actor.bytes)}{room}", style), peak.name
        for part in peak.parts:
            yield f"- {part.name}", gib(part.bytes), part.words
        for moment in actor.moments:
            if moment is not peak:
                yield (
                    Text("- at another time", "dim"),
                    Text(gib(moment.bytes), "dim"),
                    Text(moment.name, "dim"),
                )


def _room(plan: "Plan", actor: "ActorSize") -> float:
    assert plan.room_bytes is not None
    return plan.room_bytes * min(1.0, actor.gpus or 1.0)


def _actor(actor: "ActorSize") -> str:
    if not actor.count:
        return f"{actor.field}: {_short(actor.model)}"
    each = f" ({actor.gpus:g} GPU each)" if actor.gpus else ""
    return f"{actor.count} x {actor.role}{each}: {_short(actor.model)}"


def _short(model: str) -> str:
    """A revision is no part of what is read here."""
    return model.partition("@")[0]


def _step(*loads: "Load") -> Iterator[Row]:
    yield (
        "tokens of prompt + completion",
        *(f"{one.prompt_tokens:,.0f} + {one.new_tokens:,.0f}" for one in loads),
    )
    yield "sampled tokens", *(f"{one.sampled_tokens_per_step:,.0f}" for one in loads)
    yield "tokens of learner and teacher", *(f"{one.packed_tokens_per_step:,.0f}" for one in loads)
    yield "sampled in the whole job", *(f"{one.sampled_tokens_of_job:,.0f}" for one in loads)
    yield "and in its evaluations", *(f"{one.evaluation_tokens_of_job:,.0f}" for one in loads)
    for role in ("generator", "scorer", "learner"):
        cells = (count_flops(getattr(one, f"{role}_flops")) for one in loads)
        yield f"operations of the {role}", *cells
    if all(one.seconds for one in loads):
        for role in ("generator", "scorer", "learner"):
            yield f"time of the {role}", *(time(getattr(one.seconds, role)) for one in loads)
        yield "time of the step", *(_times(one.seconds) for one in loads)
    yield "bounded by the", *(one.bottleneck for one in loads)


def _times(seconds: "Seconds | None") -> str:
    assert seconds is not None
    return f"{time(seconds.step)}, the job {time(3600 * seconds.hours_of_job)}"


def count_flops(number: float) -> str:
    """Operations, such as 1.20 PFLOP."""
    for unit, name in ((10**15, "PFLOP"), (10**12, "TFLOP"), (10**9, "GFLOP")):
        if number >= unit:
            return f"{number / unit:,.2f} {name}"
    return f"{number:,.0f} FLOP"


def time(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds >= 3600:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / 60:,.1f} min" if seconds >= 60 else f"{seconds:,.1f} s"


def _show_suggestion(one: "Suggestion") -> None:
    more = "".join(f" with {name} {str(value).lower()}" for name, value in one.changes.items())
    say(
        f"\n[bold]{one.gpus} GPUs[/] are best shared so{more} ({one.taken} taken, a step of mean "
        f"lengths {time(one.seconds.step)}, bounded by the {one.bottleneck}):\n"
    )
    resources = yaml.safe_dump({"resources": dict(one.resources)}, sort_keys=False)
    for line in resources.splitlines():
        say(f"  {line}")
