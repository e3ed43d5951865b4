"""Seconds of a step by role, from operations, bytes and what a GPU reaches of its data sheet."""

from dataclasses import dataclass
from typing import Final

from rkd_online.spec.job import JobSpec
from rkd_online.spec.model_files import BYTES
from rkd_online.spec.sizing import flops
from rkd_online.spec.sizing.engine import kv_bytes_per_token, weights_on
from rkd_online.spec.sizing.gpus import Gpu
from rkd_online.spec.sizing.layout import Layout
from rkd_online.spec.sizing.parts import MIB
from rkd_online.spec.sizing.shape import Shape
from rkd_online.spec.sizing.work import Work

LEARNER_REACHES: Final = 0.35
SCORER_REACHES: Final = 0.45
PREFILL_REACHES: Final = 0.45
BANDWIDTH_REACHED: Final = 0.6
ASSUMED: Final = (
    f"a learner reaches {LEARNER_REACHES:.0%} of a GPU's dense operations, a scorer and prompts in "
    f"an engine {SCORER_REACHES:.0%}, decoding {BANDWIDTH_REACHED:.0%} of the memory's bandwidth"
)
"""Shares that are usual of well-fed GPUs; none was measured here."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of a step's sampling, scoring and update, each by itself."""

    sampling: float
    scoring: float
    update: float
    together: bool

    @property
    def bottleneck(self) -> str:
        """Which of them bounds a step."""
        found = {"generator": self.sampling, "scorer": self.scoring, "learner": self.update}
        return max(found, key=lambda role: found[role])

    @property
    def step(self) -> float:
        """A group is scored while others are sampled. The update waits for them all, unless
        rollouts may be of older weights."""
        if self.together:
            return max(self.sampling, self.scoring, self.update)
        return max(self.sampling, self.scoring) + self.update


def pace(layout: Layout, work: Work, gpu: Gpu) -> Pace:
    """Of a step of ``work`` on the job's own resources."""
    spec, resources = layout.spec, layout.spec.resources
    generator = resources.generator
    kv = generator.kv_cache_mib * MIB
    return Pace(
        sampling_seconds(layout, work, gpu, generator.count, generator.tensor_parallel, kv),
        scoring_seconds(layout, work, gpu, resources.scorer.count),
        update_seconds(layout, work, gpu, resources.learner.ranks),
        together=spec.rollout.max_staleness > 0,
    )


def update_flops(layout: Layout, work: Work) -> float:
    """Operations of the learner in a step."""
    spec, optimizer = layout.spec, layout.spec.optimizer
    twice = optimizer.epochs * optimizer.minibatches > 1
    return flops.update(
        layout.policy,
        work,
        epochs=optimizer.epochs,
        forwards=int(twice) + int(layout.reference),
        again=spec.optimizer.activation_checkpointing,
    )


def scoring_flops(layout: Layout, work: Work) -> dict[str, float]:
    """Operations of a step by teacher, each of which has the share of its parts."""
    spec = layout.spec
    weights = {part.name: part.weight for part in spec.parts}
    whole = sum(weights.values())
    found = {}
    for course in spec.courses:
        if course.teacher is not None:
            share = sum(part.weight for part in course.parts) / whole
            shared = course.teacher.scorer.type == "transformers"
            shape = layout.models[course.field].shape
            found[course.field] = share * flops.scoring(shape, work, shared=shared)
    return found


def update_seconds(layout: Layout, work: Work, gpu: Gpu, ranks: int) -> float:
    """Ranks share the micro-batches."""
    reached = gpu.flops[layout.spec.precision.learner] * LEARNER_REACHES
    return update_flops(layout, work) / (ranks * reached)


def scoring_seconds(layout: Layout, work: Work, gpu: Gpu, count: int) -> float:
    """Of the teacher that takes longest, by ``count`` scorers of each."""
    reached = gpu.flops[layout.spec.precision.scorer] * SCORER_REACHES
    times = [
        work / (count * _scorer_gpus(layout.spec, field) * reached)
        for field, work in scoring_flops(layout, work).items()
    ]
    return max(times, default=0.0)


def _scorer_gpus(spec: JobSpec, field: str) -> int:
    """A forward pass of torch computes on one GPU, however many its actor has."""
    scorer = spec.teachers[field].scorer
    return scorer.tensor_parallel if scorer.type == "vllm" else 1


def sampling_seconds(
    layout: Layout, work: Work, gpu: Gpu, engines: int, split: int, kv_bytes: int
) -> float:
    """An engine reads its weights for each token of all its sequences at once, and for each of them
    its keys and values; prompts and large batches are bounded by operations."""
    shape, precision = layout.policy, layout.spec.precision.generator
    narrow = BYTES[precision]
    own = work.sequences / engines
    at_once = min(
        own,
        layout.spec.resources.generator.max_sequences,
        _held(shape, work, narrow, split, kv_bytes),
    )
    passes = own * work.new / max(1.0, at_once)
    read = passes * narrow * weights_on(shape, split)
    context = work.prompt + work.new / 2
    read += own * work.new * kv_bytes_per_token(shape, narrow, split) * context
    by_bytes = read / (gpu.bandwidth * BANDWIDTH_REACHED)
    reached = engines * split * gpu.flops[precision] * PREFILL_REACHES
    return max(by_bytes, flops.sampling(shape, work) / reached)


def _held(shape: Shape, work: Work, narrow: int, split: int, kv_bytes: int) -> float:
    """Sequences of mean length that the cache holds."""
    each = kv_bytes_per_token(shape, narrow, split) * (work.prompt + work.new / 2)
    return kv_bytes / each
