"""How a number of GPUs is best shared between the roles of a job."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rkd_online.spec.job import JobSpec
from rkd_online.spec.resources import VllmScorer
from rkd_online.spec.sizing.gpus import Gpu
from rkd_online.spec.sizing.layout import Layout
from rkd_online.spec.sizing.pace import (
    Pace,
    sampling_seconds,
    scoring_seconds,
    update_seconds,
)
from rkd_online.spec.sizing.parts import GIB, MIB, Actor
from rkd_online.spec.sizing.refusals import splits
from rkd_online.spec.sizing.work import Work

SPLITS = (1, 2, 4, 8)
"""GPUs that an engine is tried on: those of one machine."""
FULLEST = 256
"""MiB steps of a suggested cache."""


@dataclass(frozen=True, slots=True)
class Split:
    """Resources that fit, and how long a step of mean lengths takes on them."""

    ranks: int
    generators: int
    tensor_parallel: int
    kv_cache_mib: int
    scorers: int
    scorer_gpus: int
    pace: Pace
    gpus: int

    def resources(self, courses: int) -> dict[str, Any]:
        """As a job names them; ``courses`` teachers have as many scorers each."""
        found: dict[str, Any] = {
            "device": "cuda",
            "generator": {
                "count": self.generators,
                "gpus": self.tensor_parallel,
                "tensor_parallel": self.tensor_parallel,
                "kv_cache_mib": self.kv_cache_mib,
            },
            "learner": {"ranks": self.ranks, "gpus": 1},
        }
        if courses:
            found["scorer"] = {"count": self.scorers, "gpus": self.scorer_gpus}
        return found


def with_resources(spec: JobSpec, **changes: dict[str, Any]) -> JobSpec:
    """The same job on the GPUs of a split; nothing is checked again."""
    resources = spec.resources
    parts = {
        role: getattr(resources, role).model_copy(update=values) for role, values in changes.items()
    }
    return spec.model_copy(
        update={"resources": resources.model_copy(update={"device": "cuda", **parts})}
    )


def best_split(layout: Layout, work: Work, gpu: Gpu, gpus: int, room: float) -> Split | None:
    """The one with the shortest step, of equal ones with the fewest GPUs; None where none fits."""
    found = _splits(layout, work, gpu, gpus, room)
    return min(found, key=lambda one: (round(one.pace.step, 6), one.gpus), default=None)


def _splits(layout: Layout, work: Work, gpu: Gpu, gpus: int, room: float) -> Iterator[Split]:
    scorers = _scorers(layout, work, gpu, gpus, room)
    learners = list(_learners(layout, work, gpu, gpus, room))
    together = layout.spec.rollout.max_staleness > 0
    for tensor_parallel, kv in _engines(layout, room):
        for count in range(1, gpus // tensor_parallel + 1):
            sampled = sampling_seconds(layout, work, gpu, count, tensor_parallel, kv * MIB)
            for ranks, updated in learners:
                left = gpus - ranks - count * tensor_parallel
                fitting = [one for one in scorers if one[1] <= left]
                if fitting:
                    number, taken, each, scored = fitting[-1]
                    yield Split(
                        ranks,
                        count,
                        tensor_parallel,
                        kv,
                        number,
                        each,
                        Pace(sampled, scored, updated, together),
                        ranks + count * tensor_parallel + taken,
                    )


def _learners(
    layout: Layout, work: Work, gpu: Gpu, gpus: int, room: float
) -> Iterator[tuple[int, float]]:
    for ranks in range(1, gpus + 1):
        case = Layout(with_resources(layout.spec, learner={"ranks": ranks}), layout.models)
        if case.learner().peak.bytes <= room:
            yield ranks, update_seconds(case, work, gpu, ranks)


def _scorers(
    layout: Layout, work: Work, gpu: Gpu, gpus: int, room: float
) -> list[tuple[int, int, int, float]]:
    """Number for each teacher, GPUs in all, GPUs of each, seconds; slowest first."""
    teachers = layout.spec.teachers
    if not teachers:
        return [(1, 0, 0, 0.0)]
    empty = with_resources(layout.spec, generator={"kv_cache_mib": 0})
    case = Layout(empty, layout.models)
    if any(actor.peak.bytes > room for actor in case.scorers()):
        return []
    # Scorers of all teachers have the same resources.
    each = max(
        one.scorer.tensor_parallel if isinstance(one.scorer, VllmScorer) else 1
        for one in teachers.values()
    )
    most = gpus // (each * len(teachers))
    return [
        (count, count * each * len(teachers), each, scoring_seconds(case, work, gpu, count))
        for count in range(1, most + 1)
    ]


def _engines(layout: Layout, room: float) -> Iterator[tuple[int, int]]:
    """GPUs of an engine, and the MiB of its cache that they leave."""
    for gpus in SPLITS:
        heads = [(one.shape.heads, one.shape.kv_heads) for one in layout.models.values()]
        if not all(splits(*one, gpus) for one in heads):
            continue
        empty = Layout(
            with_resources(layout.spec, generator={"tensor_parallel": gpus, "kv_cache_mib": 0}),
            layout.models,
        )
        # An engine that scores has a cache of the same size.
        free = room - max(actor.peak.bytes for actor in _engines_of(empty))
        most = min(free, _wanted(layout, gpus))
        kv = int(most / MIB) // FULLEST * FULLEST
        if kv and kv * MIB >= _least(layout, gpus):
            yield gpus, kv


def _engines_of(layout: Layout) -> Iterator[Actor]:
    yield from layout.generators()
    for actor in layout.scorers():
        if layout.spec.teachers[actor.field].scorer.type == "vllm":
            yield actor


def _wanted(layout: Layout, gpus: int) -> float:
    """More is not filled by the sequences that an engine decodes at once."""
    most = layout.spec.resources.generator.max_sequences
    return min(most, layout.work.sequences) * _least(layout, gpus) + GIB


def _least(layout: Layout, gpus: int) -> float:
    """One sequence of full length of every model that an engine ever holds."""
    case = with_resources(layout.spec, generator={"tensor_parallel": gpus})
    return max(each for _, _, each in Layout(case, layout.models).caches())


def actors_on(layout: Layout, split: Split) -> list[Actor]:
    """The actors of a job on a split."""
    changes = split.resources(len(layout.spec.teachers))
    changes.pop("device")
    return Layout(with_resources(layout.spec, **changes), layout.models).actors()
