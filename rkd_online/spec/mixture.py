"""Several tasks in one job, mixed by their weights."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, StringConstraints

from rkd_online.spec.base import SpecModel
from rkd_online.spec.task import ChainSumTask, FileTask, ReasoningGymTask, Reward, Task

PartName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?$")]


class TaskPart(SpecModel):
    """One task of a mixture."""

    name: PartName
    """What metrics and reports call it: lower-case letters, digits, ``-`` and ``_``, 40 at most."""
    weight: PositiveFloat = 1.0
    """Its share of the groups, relative to the other parts' weights."""
    task: Task
    """Where its prompts and reference answers come from."""
    rewards: tuple[Reward, ...] = ()
    """Parts of its reward; without any, those of the job."""


class MixtureTask(SpecModel):
    """Several tasks: each step's prompts are of all of them, in proportion to their weights."""

    type: Literal["mixture"]
    """Names this task."""
    parts: Annotated[tuple[TaskPart, ...], Field(min_length=1)]
    """The tasks that are mixed."""


AnyTask = Annotated[
    ChainSumTask | ReasoningGymTask | FileTask | MixtureTask, Field(discriminator="type")
]


@dataclass(frozen=True, slots=True)
class Part:
    """One task of a job with what holds for it. A job without a mixture has one, without a name.

    ``path`` leads to the fields of its own, as ``task.parts.0.``.
    """

    name: str
    path: str
    weight: float
    task: Task
    rewards: tuple[Reward, ...]


def parts_of(task: AnyTask, rewards: tuple[Reward, ...]) -> tuple[Part, ...]:
    """The tasks of a job with these ``rewards``."""
    if not isinstance(task, MixtureTask):
        return (Part("", "", 1.0, task, rewards),)
    return tuple(
        Part(part.name, f"task.parts.{number}.", part.weight, part.task, part.rewards or rewards)
        for number, part in enumerate(task.parts)
    )


def mixture_problem(task: AnyTask) -> str | None:
    """What is wrong with the parts of a mixture beside each other."""
    seen: dict[str, int] = {}
    for number, part in enumerate(task.parts if isinstance(task, MixtureTask) else ()):
        if seen.setdefault(part.name, number) != number:
            return (
                f"task.parts.{number}.name {part.name!r} is that of task.parts.{seen[part.name]} "
                "too: give each part a name of its own"
            )
    return None
