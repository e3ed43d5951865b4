"""The reward of a completion: named parts and their weighted sum."""

from collections.abc import Sequence
from typing import NamedTuple

from rkd_online.spec.task import Reward, VerifierReward
from rkd_online.tasks.base import Problem, TaskSource
from rkd_online.tasks.extract import extract
from rkd_online.types import FinishReason


class RewardParts(NamedTuple):
    """``reward`` is the weighted sum of ``parts``; ``correctness`` the verifier's part, 0 to 1."""

    reward: float
    parts: dict[str, float]
    correctness: float


class RewardFunction:
    """The rewards that a job asks for, on the problems of its task."""

    def __init__(self, rewards: Sequence[Reward], task: TaskSource) -> None:
        self._rewards = rewards
        self._task = task

    def __call__(
        self, problem: Problem, completion_text: str, finish_reason: FinishReason
    ) -> RewardParts:
        """``completion_text`` is the completion without its end token.

        Where the extractor finds no answer the verifier's part is 0.
        """
        parts: dict[str, float] = {
            reward.type: self._part(reward, problem, completion_text, finish_reason)
            for reward in self._rewards
        }
        total = sum(reward.weight * parts[reward.type] for reward in self._rewards)
        return RewardParts(total, parts, parts["verifier"])

    def _part(
        self, reward: Reward, problem: Problem, text: str, finish_reason: FinishReason
    ) -> float:
        if not isinstance(reward, VerifierReward):
            return float(finish_reason == "stop")
        answer = extract(reward.extractor, text)
        return 0.0 if answer is None else self._task.verify(problem, answer)
