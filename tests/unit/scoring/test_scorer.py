import asyncio
from collections.abc import Sequence

from rkd_online.scoring.scorer import GroupScorer
from rkd_online.spec.task import FinishedReward, VerifierReward
from rkd_online.tasks.base import Problem
from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.tasks.prompts import prompt_id
from rkd_online.tasks.rewards import RewardFunction
from rkd_online.types import (
    FinishReason,
    Logprobs,
    PromptItem,
    Rollout,
    RolloutGroup,
    TokenIds,
    VersionSpan,
    logprobs,
    token_ids,
)

END = 0
TASK = ChainSum()
PROBLEM: Problem = TASK.problem("train", 0)


def decode(token_ids: list[int]) -> str:
    """Token ids are code points."""
    return "".join(map(chr, token_ids))


class CountingTeacher:
    """Gives token i of a completion the log-prob -(length of the prompt) - i."""

    async def completion_logprobs(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds]
    ) -> list[Logprobs]:
        return [
            logprobs([-float(len(prompt_ids) + i) for i in range(len(completion))])
            for completion in completions
        ]

    async def close(self) -> None: ...


def rollout(index: int, text: str, finish: FinishReason) -> Rollout:
    ids = token_ids([*map(ord, text), *([END] if finish == "stop" else [])])
    spans = (VersionSpan(0, 0, len(ids)),)
    return Rollout(index, ids, logprobs([-1.0] * len(ids)), spans, finish)


GROUP = RolloutGroup(
    4,
    PromptItem(
        prompt_id(PROBLEM), "train", 0, token_ids([7, 8, 9]), PROBLEM.answer, "chain_sum", "d"
    ),
    (
        rollout(0, f"<answer>{PROBLEM.answer}</answer>", "stop"),
        rollout(1, "<answer>999</answer>", "stop"),
        rollout(2, f"<answer>{PROBLEM.answer}</answer>", "length"),
    ),
)


def scorer(teacher: CountingTeacher | None) -> GroupScorer:
    rewards = (VerifierReward(), FinishedReward(type="finished", weight=0.5))
    return GroupScorer(
        task=TASK,
        reward=RewardFunction(rewards, TASK),
        decode=decode,
        end_token_ids=[END],
        teacher=teacher,
    )


def test_rewards_are_the_weighted_sum_of_their_parts() -> None:
    scored = asyncio.run(scorer(None).score(GROUP)).rollouts
    assert [one.reward for one in scored] == [1.5, 0.5, 1.0]
    assert [one.correctness for one in scored] == [1.0, 0.0, 1.0]
    assert scored[2].reward_parts == {"verifier": 1.0, "finished": 0.0}


def test_teacher_logprobs_are_aligned_with_each_completion() -> None:
    scored = asyncio.run(scorer(CountingTeacher()).score(GROUP)).rollouts
    for one in scored:
        assert one.teacher_logprobs is not None
        expected = [-3.0 - i for i in range(len(one.rollout.completion_ids))]
        assert one.teacher_logprobs.tolist() == expected


def test_evaluation_asks_no_teacher() -> None:
    scored = asyncio.run(scorer(CountingTeacher()).reward(GROUP)).rollouts
    assert [one.teacher_logprobs for one in scored] == [None] * 3
    assert [one.reward for one in scored] == [1.5, 0.5, 1.0]
