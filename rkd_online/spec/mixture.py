"""Several tasks in one job, mixed by their weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, StringConstraints

from rkd_online.spec.base import SpecModel
from rkd_online.spec.resources import TeacherSpec
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
    teacher: TeacherSpec | None = None
    """The model that guides it; without one, that of the job."""


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
    teacher: TeacherSpec | None


@dataclass(frozen=True, slots=True)
class Course:
    """A teacher with the parts of the task that it guides, and the field that names it first.

    A job with one teacher, or with none, has one course, without a name; others are named after
    their parts.
    """

    name: str
    field: str
    teacher: TeacherSpec | None
    parts: tuple[Part, ...]


def parts_of(
    task: AnyTask, rewards: tuple[Reward, ...], teacher: TeacherSpec | None
) -> tuple[Part, ...]:
    """The tasks of a job with these ``rewards`` and this ``teacher``."""
    if not isinstance(task, MixtureTask):
        return (Part("", "", 1.0, task, rewards, teacher),)
    return tuple(
        Part(
            name=part.name,
            path=f"task.parts.{number}.",
            weight=part.weight,
            task=part.task,
            rewards=part.rewards or rewards,
            teacher=part.teacher or teacher,
        )
        for number, part in enumerate(task.parts)
    )


def courses_of(parts: Sequence[Part], teacher: TeacherSpec | None) -> tuple[Course, ...]:
    """The teachers of a job whose own is ``teacher``, each once, in the order of their parts."""
    found: list[Course] = []
    rest = list(parts)
    while rest:
        first = rest[0]
        own = tuple(part for part in parts if part.teacher == first.teacher)
        field = "teacher" if first.teacher == teacher else f"{first.path}teacher"
        name = "+".join(part.name for part in own) if len(own) < len(parts) else ""
        found.append(Course(name, field, first.teacher, own))
        rest = [part for part in rest if part.teacher != first.teacher]
    return tuple(found)


def teacher_problem(task: AnyTask, teacher: TeacherSpec | None) -> str | None:
    """Why the teachers of the parts and that of the job do not go together."""
    parts = task.parts if isinstance(task, MixtureTask) else ()
    without = [number for number, part in enumerate(parts) if part.teacher is None]
    if teacher is None and 0 < len(without) < len(parts):
        return (
            f"task.parts.{without[0]}.teacher is missing while other parts have one: add it, or a "
            "teacher of the job for all parts without"
        )
    others = parts and not without and all(part.teacher != teacher for part in parts)
    if teacher is not None and others:
        return "teacher is that of no part, since each has its own: leave it out"
    return None


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
