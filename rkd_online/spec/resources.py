"""Models and what each role gets to run on."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from rkd_online.spec.base import SpecModel


class PolicySpec(SpecModel):
    """The model that is trained."""

    model: str
    """Folder in Hugging Face format, ``zoo:PAIR/NAME`` (bundled) or ``hf:ORG/NAME@REVISION``."""


class TransformersScorer(SpecModel):
    """Teacher log-probs by a plain forward pass; applies any rollout temperature."""

    type: Literal["transformers"] = "transformers"
    """Names this scorer."""


class VllmScorer(SpecModel):
    """Teacher log-probs by vLLM's prompt log-probs, which are always at temperature 1."""

    type: Literal["vllm"]
    """Names this scorer."""
    tensor_parallel: PositiveInt = 1
    """GPUs that the teacher is split over, in each scorer."""


Scorer = Annotated[TransformersScorer | VllmScorer, Field(discriminator="type")]


class TeacherSpec(SpecModel):
    """The frozen model whose judgement of each token guides the update."""

    model: str
    """Folder in Hugging Face format, ``zoo:PAIR/NAME`` (bundled) or ``hf:ORG/NAME@REVISION``."""
    scorer: Scorer = TransformersScorer()
    """How its log-probs are computed."""


class GeneratorResources(SpecModel):
    """Each generator is one vLLM engine in one actor."""

    count: PositiveInt = 1
    """Number of generators."""
    cpus: NonNegativeFloat = 1.0
    """Logical CPUs reserved for each."""
    gpus: NonNegativeFloat = 0.0
    """GPUs reserved for each."""
    kv_cache_mib: PositiveInt = 256
    """Memory of each engine's key-value cache, in MiB, on each of its GPUs where it has several."""
    max_sequences: PositiveInt = 256
    """Sequences that one engine decodes at once."""
    threads: PositiveInt = 1
    """Threads of its tensor operations on CPU: a large model gains by more than one while the
    learner waits, a small one only waits for them."""
    tensor_parallel: PositiveInt = 1
    """GPUs that the policy is split over, in each generator."""


class WorkerResources(SpecModel):
    """What one actor reserves."""

    cpus: NonNegativeFloat = 1.0
    """Logical CPUs reserved."""
    gpus: NonNegativeFloat = 0.0
    """GPUs reserved."""
    threads: PositiveInt = 1
    """Threads of its tensor operations on CPU."""


class LearnerResources(WorkerResources):
    """The learner is one actor, or several that share the policy between them."""

    ranks: PositiveInt = 1
    """Actors that share policy and optimizer (FSDP2), each with these resources."""


class ScorerResources(WorkerResources):
    """Each scorer is one teacher in one actor."""

    count: PositiveInt = 1
    """Number of scorers; of each teacher, where a job has several."""


class Resources(SpecModel):
    """The share of the cluster that a job takes."""

    device: Literal["cpu", "cuda"] = "cpu"
    """Device of all three roles; ``cuda`` needs GPUs for each with a model, ``cpu`` takes none."""
    generator: GeneratorResources = GeneratorResources()
    """The generators."""
    scorer: ScorerResources = ScorerResources()
    """The scorers: teacher log-probs and rewards."""
    learner: LearnerResources = LearnerResources()
    """The learner."""
    timeout_seconds: PositiveFloat = 1800.0
    """Longest wait for one answer of a worker: its models loaded, the next group, an update, a
    checkpoint, a swap of weights."""


Seed = Annotated[int, Field(ge=0, lt=2**31)]
