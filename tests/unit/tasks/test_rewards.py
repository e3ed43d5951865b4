"""A reward is the weighted sum of named parts, or there is none."""

import asyncio
from collections.abc import Sequence

import pytest

from rkd_online.spec.task import (
    Extractor,
    FinishedReward,
    FormatReward,
    InstalledReward,
    LengthReward,
    OverlongReward,
    Reward,
    VerifierReward,
)
from rkd_online.tasks.base import Completion, Failure, Message, Problem
from rkd_online.tasks.judging import Call
from rkd_online.tasks.rewards import RewardFunction, RewardParts
from rkd_online.types import FinishReason

PROBLEM = Problem("train", 0, (Message("user", "4+4"),), answer="8", difficulty="all", task="sums")


def half_right(problem: Problem, answer: str) -> float:
    """Half a point for any answer but the right one."""
    return 1.0 if answer == problem.answer else 0.5


class Apart:
    """Says of a call how many signs its subject has; of one that says so, that it failed."""

    def __init__(self) -> None:
        self.batches: list[list[Call]] = []

    async def judge(self, calls: Sequence[Call]) -> list[float | Failure]:
        self.batches.append(list(calls))
        return [self._said(call) for call in calls]

    def close(self) -> None: ...

    def _said(self, call: Call) -> float | Failure:
        text = call.subject if isinstance(call.subject, str) else call.subject.text
        return Failure("crash", call.part) if "fail" in text else float(len(text))


def completion(text: str, finish: FinishReason = "stop", tokens: int = 5) -> Completion:
    return Completion(text, tokens, finish)


def here(*rewards: Reward, correct_at: float = 1.0) -> RewardFunction:
    """All in this process; completions have ten tokens at most."""
    return RewardFunction(rewards, verify=half_right, apart=None, correct_at=correct_at, longest=10)


def one(function: RewardFunction, text: Completion) -> RewardParts | Failure:
    (found,) = asyncio.run(function(PROBLEM, [text]))
    return found


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
    function = here(VerifierReward(weight=2.0), FinishedReward(type="finished", weight=0.25))
    parts = {"verifier": verifier, "finished": finished}
    assert one(function, completion(text, finish)) == (total, parts, verifier)


@pytest.mark.parametrize(("extractor", "verdict"), [("last_number", 1.0), ("whole_text", 0.5)])
def test_the_answer_is_where_the_extractor_looks(extractor: Extractor, verdict: float) -> None:
    function = here(VerifierReward(extractor=extractor))
    assert one(function, completion("it is 8")) == (verdict, {"verifier": verdict}, verdict)


def test_every_part_is_recorded_before_its_weight() -> None:
    function = here(
        VerifierReward(),
        FormatReward(type="format", weight=0.5),
        LengthReward(type="length", weight=2.0),
        OverlongReward(type="overlong", soft_tokens=4),
    )
    text = "<think>4 and 4</think><answer>8</answer>"
    # Of ten tokens eight: a penalty of -2/4; five are the middle of the cosine.
    found = one(function, completion(text))
    assert isinstance(found, RewardParts)
    assert found.parts.pop("length") == pytest.approx(0.5)
    assert found.parts == {"verifier": 1.0, "format": 1.0, "overlong": 0.0}
    assert found.reward == pytest.approx(2.5)
    found = one(function, completion("8", tokens=8))
    assert found == (-0.5, {"verifier": 0.0, "format": 0.0, "length": 0.0, "overlong": -0.5}, 0.0)


def test_length_is_that_of_a_correct_completion_from_correct_at_on() -> None:
    wrong = completion("<answer>9</answer>")
    for correct_at, length in ((0.5, 0.5), (0.51, 0.0)):
        function = here(VerifierReward(), LengthReward(type="length"), correct_at=correct_at)
        found = one(function, wrong)
        assert isinstance(found, RewardParts)
        assert found.parts["length"] == pytest.approx(length)


def installed(name: str, weight: float = 1.0) -> InstalledReward:
    return InstalledReward(type="installed", name=name, weight=weight, settings={})


def test_siblings_are_judged_apart_in_one_batch() -> None:
    """The verifier gets the answer, an installed reward the completion; none without an answer."""
    apart = Apart()
    rewards = (VerifierReward(), installed("long", 0.1), FinishedReward(type="finished"))
    function = RewardFunction(rewards, verify=None, apart=apart, correct_at=1.0, longest=10)
    texts = [completion("<answer>12</answer>"), completion("none")]
    found = asyncio.run(function(PROBLEM, texts))
    rewarded = [each for each in found if isinstance(each, RewardParts)]
    assert [each.reward for each in rewarded] == pytest.approx([2.0 + 1.9 + 1.0, 1.4])
    assert [each.parts for each in rewarded] == [
        {"verifier": 2.0, "long": 19.0, "finished": 1.0},
        {"verifier": 0.0, "long": 4.0, "finished": 1.0},
    ]
    assert [each.correctness for each in rewarded] == [2.0, 0.0]
    assert apart.batches == [
        [
            Call("long", PROBLEM, texts[0]),
            Call("verifier", PROBLEM, "12"),
            Call("long", PROBLEM, texts[1]),
        ]
    ]


def test_a_part_that_fails_leaves_its_completion_alone_without_a_reward() -> None:
    rewards = (VerifierReward(extractor="whole_text"), installed("long"))
    function = RewardFunction(rewards, verify=half_right, apart=Apart(), correct_at=1, longest=10)
    texts = [completion("8"), completion("fail"), completion("88")]
    found = asyncio.run(function(PROBLEM, texts))
    assert found == [
        (2.0, {"verifier": 1.0, "long": 1.0}, 1.0),
        Failure("crash", "long"),
        (2.5, {"verifier": 0.5, "long": 2.0}, 0.5),
    ]


def test_a_sum_that_is_not_finite_is_no_reward() -> None:
    function = RewardFunction(
        (VerifierReward(), installed("long", 1e308)),
        verify=half_right,
        apart=Apart(),
        correct_at=1,
        longest=10,
    )
    found = one(function, completion("eleven signs"))
    assert isinstance(found, Failure)
    assert found.cause == "not_finite"
    assert found.detail == "the weighted sum of {'verifier': 0.0, 'long': 12.0} is inf"


def test_an_installed_reward_can_be_the_verdict_in_the_place_of_the_verifier() -> None:
    """The fake judge says how many signs a completion has: with any it is correct."""
    apart = Apart()
    rewards = (
        InstalledReward(type="installed", name="long", verdict=True, weight=0.5, settings={}),
        LengthReward(type="length", correct_short=4.0, correct_long=2.0, wrong_short=-4.0),
    )
    function = RewardFunction(rewards, verify=None, apart=apart, correct_at=1.0, longest=10)
    texts = [completion("<answer>8</answer>", tokens=10), completion("", tokens=10)]
    right, wrong = asyncio.run(function(PROBLEM, texts))
    assert isinstance(right, RewardParts) and isinstance(wrong, RewardParts)
    assert [one.correctness for one in (right, wrong)] == [18.0, 0.0]
    # At the longest a correct completion has 2 for its length, a wrong one 0.
    assert right.reward == pytest.approx(0.5 * 18 + 2)
    assert wrong.reward == pytest.approx(0.0)
    assert [call.part for call in apart.batches[0]] == ["long", "long"]
