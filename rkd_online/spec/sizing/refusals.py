"""What of a layout cannot be, with the arithmetic and what to change."""

import math
from collections.abc import Iterator, Sequence

from rkd_online.spec.resources import VllmScorer
from rkd_online.spec.sizing.layout import Layout
from rkd_online.spec.sizing.parts import GIB, MIB, Actor


def head_problems(layout: Layout) -> Iterator[str]:
    """An engine is split by attention heads: each GPU has as many, and whole key and value heads or
    copies of one."""
    generator = layout.spec.resources.generator.tensor_parallel
    for name in layout.models:
        yield from _split(layout, "resources.generator.tensor_parallel", generator, name)
        teacher = layout.spec.teachers.get(name)
        if teacher is not None and isinstance(teacher.scorer, VllmScorer):
            field = f"{name}.scorer.tensor_parallel"
            yield from _split(layout, field, teacher.scorer.tensor_parallel, name)


def _split(layout: Layout, field: str, gpus: int, name: str) -> Iterator[str]:
    shape = layout.models[name].shape
    if not splits(shape.heads, shape.kv_heads, gpus):
        allowed = [n for n in range(1, shape.heads + 1) if splits(shape.heads, shape.kv_heads, n)]
        yield (
            f"{field}: {gpus} does not divide the {name}'s {shape.heads} attention heads with "
            f"{shape.kv_heads} key and value heads: set one of {', '.join(map(str, allowed))}"
        )


def splits(heads: int, kv_heads: int, gpus: int) -> bool:
    """Whether heads can be shared by so many GPUs."""
    return heads % gpus == 0 and (kv_heads % gpus == 0 or gpus % kv_heads == 0)


def length_problems(layout: Layout) -> Iterator[str]:
    """One sequence of full length fits the models, a forward pass and an engine's cache."""
    spec, longest = layout.spec, layout.work.longest
    new, budget = spec.rollout.max_new_tokens, spec.optimizer.micro_batch_tokens
    for name, model in layout.models.items():
        context = model.shape.context
        if context is not None and new >= context:
            yield (
                f"rollout.max_new_tokens: {new:,} leaves no room for a prompt in the {name}'s "
                f"context of {context:,} tokens: lower it"
            )
    if budget < longest:
        yield (
            f"optimizer.micro_batch_tokens: {budget:,} is below one sequence of {longest:,.0f} "
            f"tokens: set at least {longest:.0f}"
        )
    for field, size, each in layout.caches():
        if size < each:
            yield (
                f"resources.generator.kv_cache_mib: {size / MIB:,.0f} holds no sequence of "
                f"{longest:,.0f} tokens of {field}: set at least {math.ceil(each / MIB)}"
            )


def memory_problems(actors: Sequence[Actor], room: float) -> Iterator[str]:
    """Actors of a GPU, or of a share of one, that do not fit into ``room`` bytes of each."""
    for actor in actors:
        mine = room * min(1.0, actor.gpus) if actor.gpus else room
        if actor.peak.bytes > mine:
            share = f" of {actor.gpus:g} GPU" if 0 < actor.gpus < 1 else ""
            yield (
                f"{actor.field}: {_sum(actor)} is above the {mine / GIB:,.1f} GiB{share} that may "
                f"be used: {_advice(actor)}"
            )


def _sum(actor: Actor) -> str:
    peak = actor.peak
    largest = sorted(peak.parts, key=lambda part: -part.bytes)
    words = " + ".join(f"{part.name} {part.bytes / GIB:,.1f}" for part in largest)
    return f"{words} = {peak.bytes / GIB:,.1f} GiB ({actor.role} of {actor.model}, {peak.name})"


def _advice(actor: Actor) -> str:
    names = [part.name for part in sorted(actor.peak.parts, key=lambda part: -part.bytes)]
    if actor.role == "generator":
        what = "resources.generator.kv_cache_mib" if names[0] == "KV cache" else ""
        return f"lower {what}" if what else "raise resources.generator.tensor_parallel and .gpus"
    if actor.role == "scorer":
        return (
            "use scorer.type 'vllm' with tensor_parallel and precision.scorer 'bfloat16', or a "
            "smaller teacher"
        )
    if actor.peak.name != "load" and names[0] in ("activations", "passing", "one layer"):
        return "set optimizer.activation_checkpointing true or lower optimizer.micro_batch_tokens"
    return "raise resources.learner.ranks, or train a smaller policy"


def count_problem(actors: Sequence[Actor], gpus: int) -> str | None:
    """Why the actors are too many for ``gpus`` GPUs; None where they are not."""
    taken = [(actor, actor.count * actor.gpus) for actor in actors if actor.count * actor.gpus]
    total = sum(size for _, size in taken)
    if total <= gpus:
        return None
    words = " + ".join(f"{size:g} ({actor.role})" for actor, size in taken)
    return (
        f"resources: {words} = {total:g} GPUs, there are {gpus}: lower resources.*.count, .ranks "
        "or .gpus"
    )


def host_problem(actors: Sequence[Actor], memory: int) -> str | None:
    """Why all actors of a machine do not fit its memory; None where they do. A teacher is measured
    in the place of the generators, so the larger of the two counts."""
    steady = sum(actor.count * actor.peak.bytes for actor in actors if actor.role != "generator")
    engines = [
        max(1, actor.count) * actor.peak.bytes for actor in actors if actor.role == "generator"
    ]
    total = steady + max(engines, default=0)
    if total <= memory:
        return None
    words = " + ".join(
        f"{max(1, one.count)} x {one.peak.bytes / GIB:,.2f} ({one.role})" for one in actors
    )
    return (
        f"resources: {words}, together at least {total / GIB:,.2f} GiB, is above the "
        f"{memory / GIB:,.2f} GiB that may be used: lower optimizer.micro_batch_tokens or "
        "resources.generator.kv_cache_mib, or take a smaller model"
    )
