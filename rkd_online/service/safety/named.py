"""What a job names: its models, files and stores, each by the field that has it."""

from collections.abc import Iterator
from dataclasses import dataclass

from rkd_online.spec.check import references
from rkd_online.spec.job import JobSpec
from rkd_online.spec.references import is_hub_reference
from rkd_online.spec.task import FileTask
from rkd_online.spec.training import StoreSource
from rkd_online.zoo import PREFIX as ZOO_PREFIX


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file with prompts."""

    field: str
    path: str


@dataclass(frozen=True, slots=True)
class NamedStore:
    """A folder with rollouts."""

    field: str
    path: str


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A folder with a model."""

    field: str
    path: str


@dataclass(frozen=True, slots=True)
class NamedHubModel:
    """A model of the hub."""

    field: str
    reference: str


NamedPath = NamedFile | NamedStore | NamedModel


def paths_of(spec: JobSpec) -> Iterator[NamedPath]:
    """Everything of the file system that a job names."""
    for role, reference in references(spec).items():
        if not is_hub_reference(reference) and not reference.startswith(ZOO_PREFIX):
            yield NamedModel(f"{role}.model", reference)
    for part in spec.parts:
        if isinstance(part.task, FileTask):
            for split in ("train", "validation", "test"):
                yield NamedFile(f"{part.path}task.{split}", str(getattr(part.task, split)))
    if isinstance(spec.rollout.source, StoreSource):
        yield NamedStore("rollout.source.path", str(spec.rollout.source.path))


def hub_models_of(spec: JobSpec) -> Iterator[NamedHubModel]:
    """Everything of the hub that a job names."""
    for role, reference in references(spec).items():
        if is_hub_reference(reference):
            yield NamedHubModel(f"{role}.model", reference)
