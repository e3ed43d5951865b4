import asyncio
from collections.abc import Sequence

from rkd_online.scoring.scorer import GroupScorer
from rkd_online.scoring.teacher import CandidateRequest, CandidateScores
from rkd_online.spec.task import FinishedReward, VerifierReward
from rkd_online.tasks.base import Completion, Failure, Problem
from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.tasks.match import exact
from rkd_online.tasks.prompts import prompt_id
from rkd_online.tasks.rewards import RewardFunction, RewardParts
from rkd_online.tasks.verifiers import by_match
from rkd_online.types import (
    CandidateRollout,
    Candidates,
    FinishReason,
    Logprobs,
    PromptItem,
    Rollout,
    RolloutGroup,
    ScoredGroup,
    ScoredRollout,
    TokenIds,
    UnjudgedRollout,
    VersionSpan,
    candidate_ids,
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

    async def completion_candidates(
        self, prompt_ids: TokenIds, completions: Sequence[TokenIds], asked: CandidateRequest
    ) -> list[CandidateScores]:
        """The same, and of each token the first ids as candidates that are all as likely."""
        found = await self.completion_logprobs(prompt_ids, completions)
        return [CandidateScores(one, candidates(len(one), asked.count)) for one in found]

    async def close(self) -> None: ...


def candidates(tokens: int, count: int) -> Candidates:
    ids = candidate_ids([*range(count)] * tokens)
    return Candidates(count, ids, logprobs([-2.0] * len(ids)), logprobs([-1.0] * tokens))


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


class Unsure:
    """Remembers what it is asked, and fails on the second completion."""

    def __init__(self) -> None:
        self.asked: list[tuple[Problem, list[Completion]]] = []
        self.closed = False

    async def __call__(
        self, problem: Problem, completions: Sequence[Completion]
    ) -> list[RewardParts | Failure]:
        self.asked.append((problem, list(completions)))
        rewarded = RewardParts(0.5, {"verifier": 0.5}, 0.5)
        return [rewarded, Failure("timeout", "verifier: no verdict"), rewarded]

    def close(self) -> None:
        self.closed = True


def scorer(
    teacher: CountingTeacher | None,
    unsure: Unsure | None = None,
    asked: CandidateRequest | None = None,
) -> GroupScorer:
    rewards = (VerifierReward(), FinishedReward(type="finished", weight=0.5))
    function = RewardFunction(rewards, verify=by_match(exact), apart=None, correct_at=1, longest=64)
    return GroupScorer(
        task=TASK,
        rewards=unsure or function,
        decode=decode,
        end_token_ids=[END],
        teacher=teacher,
        candidates=asked,
    )


def judged(group: ScoredGroup) -> tuple[ScoredRollout, ...]:
    assert len(group.judged) == len(GROUP.rollouts)
    return group.judged


def test_rewards_are_the_weighted_sum_of_their_parts() -> None:
    scored = judged(asyncio.run(scorer(None).score(GROUP)))
    assert [one.reward for one in scored] == [1.5, 0.5, 1.0]
    assert [one.correctness for one in scored] == [1.0, 0.0, 1.0]
    assert scored[2].reward_parts == {"verifier": 1.0, "finished": 0.0}


def test_teacher_logprobs_are_aligned_with_each_completion() -> None:
    for one in judged(asyncio.run(scorer(CountingTeacher()).score(GROUP))):
        assert one.teacher_logprobs is not None
        expected = [-3.0 - i for i in range(len(one.rollout.completion_ids))]
        assert one.teacher_logprobs.tolist() == expected


def test_candidates_come_with_the_log_probs_where_the_job_asks_for_them() -> None:
    asked = CandidateRequest(count=3, vocabulary=9)
    group = asyncio.run(scorer(CountingTeacher(), asked=asked).score(GROUP))
    plain = judged(asyncio.run(scorer(CountingTeacher()).score(GROUP)))
    assert not any(isinstance(one, CandidateRollout) for one in plain)
    for one, other in zip(judged(group), plain, strict=True):
        assert isinstance(one, CandidateRollout)
        assert one.candidates == candidates(len(one.rollout.completion_ids), 3)
        assert one.teacher_logprobs == other.teacher_logprobs
        assert (one.reward, one.reward_parts) == (other.reward, other.reward_parts)


def test_a_rollout_without_a_verdict_keeps_the_log_probs_alone() -> None:
    asked = CandidateRequest(count=3, vocabulary=9)
    marked = asyncio.run(scorer(CountingTeacher(), Unsure(), asked).score(GROUP)).rollouts[1]
    assert isinstance(marked, UnjudgedRollout)
    assert marked.teacher_logprobs is not None
    assert marked.teacher_logprobs.tolist()[0] == -3.0


def test_evaluation_asks_no_teacher() -> None:
    scored = judged(asyncio.run(scorer(CountingTeacher()).reward(GROUP)))
    assert [one.teacher_logprobs for one in scored] == [None] * 3
    assert [one.reward for one in scored] == [1.5, 0.5, 1.0]


def test_a_rollout_that_cannot_be_judged_is_marked_in_its_place() -> None:
    unsure = Unsure()
    group = asyncio.run(scorer(CountingTeacher(), unsure).score(GROUP))
    marked = group.rollouts[1]
    assert isinstance(marked, UnjudgedRollout)
    assert (marked.cause, marked.detail) == ("timeout", "verifier: no verdict")
    assert marked.rollout is GROUP.rollouts[1]
    assert marked.teacher_logprobs is not None
    assert [one.rollout.index for one in group.judged] == [0, 2]


def test_a_completion_is_judged_without_its_end_token_which_counts() -> None:
    unsure = Unsure()
    asyncio.run(scorer(None, unsure).score(GROUP))
    ((problem, completions),) = unsure.asked
    assert problem == PROBLEM
    text = f"<answer>{PROBLEM.answer}</answer>"
    assert completions[0] == Completion(text, len(text) + 1, "stop")
    assert completions[2] == Completion(text, len(text), "length")


def test_closing_the_scorer_closes_what_judges() -> None:
    unsure = Unsure()
    asyncio.run(scorer(None, unsure).close())
    assert unsure.closed
