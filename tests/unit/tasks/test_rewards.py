"""A reward is the weighted sum of named parts."""

import pytest

from rkd_online.spec.task import Extractor, FinishedReward, VerifierReward
from rkd_online.tasks.base import Message, Problem
from rkd_online.tasks.rewards import RewardFunction
from rkd_online.types import FinishReason, Split


class HalfRight:
    """A task that gives half a point for any answer but the right one."""

    name = "half"

    def size(self, split: Split) -> int:
        return 1

    def problem(self, split: Split, index: int) -> Problem:
        return Problem(split, index, (Message("user", "4+4"),), answer="8", difficulty="all")

    def verify(self, problem: Problem, answer: str) -> float:
        return 1.0 if answer == problem.answer else 0.5


def reward(
    text: str, finish: FinishReason, extractor: Extractor = "answer_tag"
) -> tuple[float, dict[str, float], float]:
    task = HalfRight()
    rewards = (
        VerifierReward(weight=2.0, extractor=extractor),
        FinishedReward(type="finished", weight=0.25),
    )
    return RewardFunction(rewards, task)(task.problem("train", 0), text, finish)


@pytest.mark.parametrize(
    ("text", "finish", "total", "verifier", "finished"),
    [
        ("<answer>8</answer>", "stop", 2.25, 1.0, 1.0),
        ("<answer>8</answer>", "length", 2.0, 1.0, 0.0),
        ("<answer>9</answer>", "stop", 1.25, 0.5, 1.0),
        ("8", "stop", 0.25, 0.0, 1.0),
        ("", "length", 0.0, 0.0, 0.0),
    ],
)
def test_parts_are_weighted_and_correctness_is_the_verifiers_alone(
    text: str, finish: FinishReason, total: float, verifier: float, finished: float
) -> None:
    parts = {"verifier": verifier, "finished": finished}
    assert reward(text, finish) == (total, parts, verifier)


def test_the_answer_is_where_the_extractor_looks() -> None:
    assert reward("it is 8", "stop", "last_number")[2] == 1.0
    assert reward("it is 8", "stop", "whole_text")[2] == 0.5
