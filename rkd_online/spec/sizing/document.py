"""A plan as a document: for programs as it is, for people made into tables."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel


class Record(BaseModel, frozen=True):
    """Part of the document."""


class ModelSize(Record):
    """A model of the job, and where its configuration was found."""

    name: str
    model: str
    family: str
    parameters: int
    active_parameters: int
    kv_bytes_per_token: int
    source: str


class PartSize(Record):
    """Bytes of one thing."""

    name: str
    bytes: int
    words: str


class MomentSize(Record):
    """What is held at once at some time."""

    name: str
    bytes: int
    parts: tuple[PartSize, ...]


class ActorSize(Record):
    """``count`` equal actors; bytes are those of each GPU, or of each process on a CPU. An engine
    of ``count`` 0 takes the place of the first generator while a teacher is measured."""

    role: str
    field: str
    model: str
    count: int
    gpus: float
    peak: str
    bytes: int
    moments: tuple[MomentSize, ...]


class Load(Record):
    """Tokens and operations of sequences of some length."""

    lengths: Literal["worst", "mean"]
    prompt_tokens: float
    new_tokens: float
    sequences: int
    sampled_tokens_per_step: float
    packed_tokens_per_step: float
    sampled_tokens_of_job: float
    evaluation_tokens_of_job: float
    generator_flops: float
    scorer_flops: float
    learner_flops: float
    bottleneck: str
    seconds: "Seconds | None"


class Seconds(Record):
    """How long each role works on a step, and the step takes, on GPUs."""

    generator: float
    scorer: float
    learner: float
    step: float
    hours_of_job: float


class Suggestion(Record):
    """Resources for a number of GPUs, and what else of the job had to change for them to fit."""

    gpus: int
    taken: int
    changes: Mapping[str, Any]
    resources: Mapping[str, Any]
    bottleneck: str
    seconds: Seconds


class Plan(Record):
    """What a job takes. ``room_bytes`` is what an actor may use of a GPU, or all of them of a
    machine; None where no memory was given."""

    job: str
    device: Literal["cpu", "cuda"]
    gpu: str
    gpus_of_job: float
    room_bytes: int | None
    models: tuple[ModelSize, ...]
    actors: tuple[ActorSize, ...]
    loads: tuple[Load, ...]
    suggestion: Suggestion | None
    assumptions: tuple[str, ...]
    problems: tuple[str, ...]
