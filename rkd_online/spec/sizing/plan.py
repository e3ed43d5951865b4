"""The plan of a job: what its actors hold, what bounds a step, and how GPUs are best shared."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rkd_online.spec.decoding import answers_per_prompt
from rkd_online.spec.job import JobSpec
from rkd_online.spec.model_files import BYTES
from rkd_online.spec.sizing import flops
from rkd_online.spec.sizing.document import (
    ActorSize,
    Load,
    ModelSize,
    MomentSize,
    PartSize,
    Plan,
    Seconds,
    Suggestion,
)
from rkd_online.spec.sizing.engine import kv_bytes_per_token
from rkd_online.spec.sizing.gpus import Gpu
from rkd_online.spec.sizing.layout import Layout
from rkd_online.spec.sizing.pace import ASSUMED, Pace, pace, scoring_flops, update_flops
from rkd_online.spec.sizing.parts import Actor
from rkd_online.spec.sizing.refusals import (
    count_problem,
    head_problems,
    host_problem,
    length_problems,
    memory_problems,
)
from rkd_online.spec.sizing.source import sized_models
from rkd_online.spec.sizing.split import Split, best_split
from rkd_online.spec.sizing.work import Work, mean

AGAIN = "activation_checkpointing"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan is made for. ``gpus`` is how many there are, None for as many as the job takes;
    ``usable`` the share of a GPU's memory that may be planned with, ``host`` the memory of a
    machine for a job on a CPU. Mean lengths that are not given are half the longest."""

    gpu: Gpu
    gpus: int | None = None
    usable: float = 0.9
    host: int | None = None
    prompt_tokens: float | None = None
    new_tokens: float | None = None
    configs: Mapping[str, Path] | None = None


def make_plan(spec: JobSpec, asked: Asked) -> Plan:
    """Raises SpecError where a model's configuration is not known or is none. What does not fit is
    among the plan's problems."""
    layout = Layout(spec, sized_models(spec, asked.configs or {}))
    actors = layout.actors()
    problems = tuple(_problems(layout, actors, asked))
    usual = _mean(layout, asked)
    return Plan(
        job=spec.name,
        device=spec.resources.device,
        gpu=asked.gpu.name,
        gpus_of_job=sum(actor.count * actor.gpus for actor in actors),
        room_bytes=asked.host if layout.cpu else _room(asked),
        models=tuple(_models(layout)),
        actors=tuple(map(_actor, actors)),
        loads=(_load(layout, layout.work, "worst", asked), _load(layout, usual, "mean", asked)),
        suggestion=_suggestion(layout, usual, asked),
        assumptions=tuple(_assumptions(layout, asked)),
        problems=problems,
    )


def _room(asked: Asked) -> int:
    return round(asked.gpu.memory * asked.usable)


def _mean(layout: Layout, asked: Asked) -> Work:
    most = layout.work
    prompt, new = asked.prompt_tokens or most.prompt / 2, asked.new_tokens or most.new / 2
    return mean(layout.spec, prompt, new)


def _problems(layout: Layout, actors: list[Actor], asked: Asked) -> Iterator[str]:
    yield from head_problems(layout)
    yield from length_problems(layout)
    if layout.cpu:
        found = None if asked.host is None else host_problem(actors, asked.host)
    else:
        yield from memory_problems(actors, _room(asked))
        found = None if asked.gpus is None else count_problem(actors, asked.gpus)
    if found is not None:
        yield found


def _models(layout: Layout) -> Iterator[ModelSize]:
    generator = layout.spec.resources.generator
    for name, one in layout.models.items():
        shape, narrow = one.shape, BYTES[layout.spec.precision.generator]
        yield ModelSize(
            name=name,
            model=one.reference,
            family=shape.family,
            parameters=shape.parameters,
            active_parameters=shape.active + shape.embedding,
            kv_bytes_per_token=kv_bytes_per_token(shape, narrow, generator.tensor_parallel),
            source=one.source,
        )


def _actor(actor: Actor) -> ActorSize:
    moments = tuple(
        MomentSize(
            name=one.name,
            bytes=one.bytes,
            parts=tuple(PartSize(name=p.name, bytes=p.bytes, words=p.words) for p in one.parts),
        )
        for one in actor.moments
    )
    return ActorSize(
        role=actor.role,
        field=actor.field,
        model=actor.model,
        count=actor.count,
        gpus=actor.gpus,
        peak=actor.peak.name,
        bytes=actor.peak.bytes,
        moments=moments,
    )


def _load(layout: Layout, work: Work, lengths: Any, asked: Asked) -> Load:
    spec = layout.spec
    operations = _operations(layout, work)
    times = None if layout.cpu else pace(layout, work, asked.gpu)
    return Load(
        lengths=lengths,
        prompt_tokens=work.prompt,
        new_tokens=work.new,
        sequences=work.sequences,
        sampled_tokens_per_step=work.new_tokens,
        packed_tokens_per_step=work.packed_tokens,
        sampled_tokens_of_job=spec.steps * work.new_tokens,
        evaluation_tokens_of_job=_answers(spec) * work.new,
        generator_flops=operations["generator"],
        scorer_flops=operations["scorer"],
        learner_flops=operations["learner"],
        bottleneck=_slowest(layout, operations) if times is None else times.bottleneck,
        seconds=None if times is None else _seconds(spec, times),
    )


def _operations(layout: Layout, work: Work) -> dict[str, float]:
    """Of a step, by role; a step from a store samples nothing."""
    stored = layout.spec.rollout.source.type == "store"
    return {
        "generator": 0.0 if stored else flops.sampling(layout.policy, work),
        "scorer": sum(scoring_flops(layout, work).values()),
        "learner": update_flops(layout, work),
    }


def _slowest(layout: Layout, operations: Mapping[str, float]) -> str:
    """On a CPU, where each role has its threads."""
    one = layout.spec.resources
    threads = {
        "generator": one.generator.count * one.generator.threads,
        "scorer": one.scorer.count * one.scorer.threads,
        "learner": one.learner.ranks * one.learner.threads,
    }
    return max(operations, key=lambda role: operations[role] / threads[role])


def _seconds(spec: JobSpec, found: Pace) -> Seconds:
    return Seconds(
        generator=found.sampling,
        scorer=found.scoring,
        learner=found.update,
        step=found.step,
        hours_of_job=spec.steps * found.step / 3600,
    )


def _answers(spec: JobSpec) -> int:
    """Completions of the report and of all validations."""
    asked = spec.evaluation
    each = sum(answers_per_prompt(one, asked.samples) for one in asked.decoding)
    models = 3 if spec.teachers else 2
    found = models * asked.prompts * each
    if asked.every:
        samples = answers_per_prompt(asked.decoding[0], asked.every_samples)
        found += spec.steps // asked.every * asked.every_prompts * samples
    return found


def _suggestion(layout: Layout, work: Work, asked: Asked) -> Suggestion | None:
    """For the job as it is, or else with its layers computed again backward."""
    if asked.gpus is None:
        return None
    for changes in ({}, {AGAIN: True}):
        optimizer = layout.spec.optimizer.model_copy(update=changes)
        spec = layout.spec.model_copy(update={"optimizer": optimizer})
        tried = replace(layout, spec=spec)
        found = best_split(tried, work, asked.gpu, asked.gpus, _room(asked))
        if found is not None:
            named = {f"optimizer.{name}": value for name, value in changes.items()}
            return _suggested(spec, found, asked.gpus, named)
    return None


def _suggested(spec: JobSpec, found: Split, gpus: int, changes: Mapping[str, Any]) -> Suggestion:
    return Suggestion(
        gpus=gpus,
        taken=found.gpus,
        changes=changes,
        resources=found.resources(len(spec.teachers)),
        bottleneck=found.pace.bottleneck,
        seconds=_seconds(spec, found.pace),
    )


def _assumptions(layout: Layout, asked: Asked) -> Iterator[str]:
    if not layout.cpu or asked.gpus is not None:
        yield (
            f"of a GPU's memory {asked.usable:.0%} may be used: the rest is for CUDA's own context "
            "in each process, graphs and fragmentation, none of which was measured"
        )
        yield ASSUMED
        yield "no figure of a GPU was measured: a plan is arithmetic"
    if layout.cpu:
        yield (
            "what the allocator holds between blocks of tensors is not counted: a learner was "
            "measured to hold more than is predicted (`python -m benchmarks plan`)"
        )
        yield (
            "each actor has a process of its own, as on Ray: `rkd run` has one for all roles, and "
            "so holds the libraries once"
        )
        yield "on a CPU the bottleneck is the role with the most operations for each of its threads"
    if asked.new_tokens is None:
        yield "the mean completion is half the longest (--mean-new-tokens says otherwise)"
    if asked.prompt_tokens is None:
        yield "the mean prompt is half the longest (--mean-prompt-tokens says otherwise)"
