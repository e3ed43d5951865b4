"""The curricula of reasoning-gym: settings by level. Needs the package when it is called.

A level sets every attribute of the dataset's curriculum to its value of that number, and an
attribute that has fewer values to its last.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from rkd_online.spec.task import CurriculumStage, ReasoningGymTask

if TYPE_CHECKING:
    from reasoning_gym.coaching import BaseCurriculum


def stage_edges(total: int, stages: Sequence[CurriculumStage]) -> list[int]:
    """Where each stage ends when ``total`` things are dealt to them by their shares."""
    shares = list(accumulate(stage.share for stage in stages))
    return [round(total * share / shares[-1]) for share in shares]


def level_config(task: ReasoningGymTask, level: int) -> dict[str, Any]:
    """Settings of the dataset at a level: the task's own and those that the curriculum governs."""
    from reasoning_gym.coaching.base_curriculum import (
        DefaultCurriculumContext,
        RangeAttributeMode,
    )
    from reasoning_gym.factory import create_curriculum

    curriculum = create_curriculum(task.dataset)
    curriculum.set_global_level(level)
    # Of a range this level's values alone: each problem then has one level.
    this_level = DefaultCurriculumContext(RangeAttributeMode.UPPER_BOUND)
    made = curriculum.generate_configuration(task.config, this_level)
    return task.config | {field: getattr(made, field) for field in _governed(curriculum)}


def curriculum_problems(task: ReasoningGymTask) -> Iterator[str]:
    """One line for each thing that is wrong, each starting with its field."""
    from reasoning_gym.factory import create_curriculum, has_curriculum

    if not has_curriculum(task.dataset):
        yield f"task.curriculum: {task.dataset} has none in reasoning-gym: set task.config instead"
        return
    curriculum = create_curriculum(task.dataset)
    for field in sorted(_governed(curriculum) & task.config.keys()):
        yield f"task.config.{field}: the levels of task.curriculum set it: leave it out"
    highest = max(len(one.levels) for one in curriculum.attributes.values()) - 1
    for number, stage in enumerate(task.curriculum):
        if stage.levels[1] > highest:
            yield (
                f"task.curriculum.{number}.levels: found {list(stage.levels)}, the curriculum of "
                f"{task.dataset} has levels 0 to {highest}"
            )
    yield from empty_stages("task.train_size", "problems", task.train_size, task.curriculum)


def empty_stages(
    field: str, what: str, total: int, stages: Sequence[CurriculumStage], task: str = "task"
) -> Iterator[str]:
    """One line for each stage of the field ``task`` that gets nothing of ``total`` things."""
    edges = [0, *stage_edges(total, stages)]
    for number in range(len(stages)):
        if edges[number] == edges[number + 1]:
            yield (
                f"{field}: {total} {what} leave none for {task}.curriculum.{number}, whose share "
                f"is {stages[number].share:g} of {sum(stage.share for stage in stages):g}: raise "
                "one of them"
            )


def _governed(curriculum: "BaseCurriculum") -> set[str]:
    """Settings of the dataset that its curriculum makes."""
    from reasoning_gym.coaching import RangeAttributeDefinition

    return {
        field
        for one in curriculum.attributes.values()
        for field in (
            (one.lower_field_name, one.upper_field_name)
            if isinstance(one, RangeAttributeDefinition)
            else (one.field_name,)
        )
    }
