"""A task from its description."""

from typing import assert_never

from rkd_online.errors import TaskError
from rkd_online.spec.mixture import AnyTask, MixtureTask, TaskPart
from rkd_online.spec.task import ChainSumTask, FileTask, ReasoningGymTask
from rkd_online.tasks.base import TaskSource
from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.tasks.files import Files
from rkd_online.tasks.mixture import Mixture
from rkd_online.tasks.reasoning_gym import ReasoningGym


def build_task(task: AnyTask) -> TaskSource:
    """The problems that ``task`` describes. Raises TaskError where it cannot make them."""
    match task:
        case ChainSumTask():
            return ChainSum(task.min_terms, task.max_terms)
        case ReasoningGymTask():
            return ReasoningGym(task)
        case FileTask():
            return Files(task)
        case MixtureTask():
            return Mixture({part.name: _part(part) for part in task.parts})
        case _:
            assert_never(task)


def _part(part: TaskPart) -> TaskSource:
    try:
        return build_task(part.task)
    except TaskError as error:
        raise TaskError(f"part {part.name!r} of the task: {error}") from error
