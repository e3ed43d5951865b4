"""The verifier of each task: a function of a problem and an extracted answer, 0 to 1."""

import logging
import math
from typing import assert_never

from rkd_online.spec.task import ChainSumTask, FileTask, ReasoningGymTask, Task
from rkd_online.tasks.base import Problem, Verifier
from rkd_online.tasks.match import MATCHERS, Matcher, exact, hangs
from rkd_online.tasks.reasoning_gym import make_dataset

log = logging.getLogger(__name__)


def verifier(task: Task) -> Verifier:
    """How answers to the problems of ``task`` are judged."""
    match task:
        case ChainSumTask():
            return by_match(exact)
        case ReasoningGymTask():
            return GymVerifier(task)
        case FileTask():
            matcher = MATCHERS[task.match]
            matcher("1", "1")  # imports what it needs, which may take longer than any answer
            return by_match(matcher)
        case _:
            assert_never(task)


def can_fail(task: Task) -> bool:
    """Whether a verifier can hang or end its process, so that it needs one of its own."""
    if isinstance(task, FileTask):
        return hangs(task.match)
    return isinstance(task, ReasoningGymTask)


def by_match(matcher: Matcher) -> Verifier:
    """1 where an answer matches the reference, else 0."""

    def verify(problem: Problem, answer: str) -> float:
        return float(matcher(problem.answer, answer))

    return verify


class GymVerifier:
    """The dataset's own score of an answer, clipped to 0 to 1; one that is not finite stays so.

    Some verifiers raise on text that is not in the form they expect: a wrong answer, not a failure
    to judge.
    """

    def __init__(self, task: ReasoningGymTask) -> None:
        level = task.curriculum[0].levels[0] if task.curriculum else None
        self._name = task.dataset
        self._dataset = make_dataset(task, level, seed=task.seed, size=task.train_size)

    def __call__(self, problem: Problem, answer: str) -> float:
        try:
            score = float(self._dataset.score_answer(answer, problem.record))
        except MemoryError:
            raise
        except Exception as error:
            log.info("%s scores %.80r as 0: %r", self._name, answer, error)
            return 0.0
        return min(max(score, 0.0), 1.0) if math.isfinite(score) else score
