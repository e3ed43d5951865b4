"""A task from its description."""

from typing import assert_never

from rkd_online.spec.task import ChainSumTask, FileTask, ReasoningGymTask, Task
from rkd_online.tasks.base import TaskSource
from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.tasks.files import Files
from rkd_online.tasks.reasoning_gym import ReasoningGym


def build_task(task: Task) -> TaskSource:
    """The problems and the verifier that ``task`` describes. Raises TaskError where it cannot."""
    match task:
        case ChainSumTask():
            return ChainSum(task.min_terms, task.max_terms)
        case ReasoningGymTask():
            return ReasoningGym(task)
        case FileTask():
            return Files(task)
        case _:
            assert_never(task)
