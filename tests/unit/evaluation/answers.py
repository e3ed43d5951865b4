"""A model whose answers are known, and a judge that reads them."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from rkd_online.types import (
    PromptItem,
    Rollout,
    RolloutGroup,
    SamplingRequest,
    ScoredGroup,
    ScoredRollout,
    UnjudgedRollout,
    VersionSpan,
    logprobs,
    token_ids,
)


def prompt(index: int, difficulty: str = "easy") -> PromptItem:
    return PromptItem(f"test:{index}", "test", index, token_ids([1]), str(index), "sum", difficulty)


def rollout(index: int, tokens: Sequence[int], *, cut: bool = False) -> Rollout:
    return Rollout(
        index,
        token_ids(tokens),
        logprobs([-1.0] * len(tokens)),
        (VersionSpan(0, 0, len(tokens)),),
        "length" if cut else "stop",
    )


def scored(
    index: int, tokens: Sequence[int], verdict: float, *, cut: bool = False
) -> ScoredRollout:
    parts = {"verifier": verdict, "format": 1.0}
    return ScoredRollout(rollout(index, tokens, cut=cut), verdict, parts, verdict, None)


def unjudged(index: int, tokens: Sequence[int]) -> UnjudgedRollout:
    return UnjudgedRollout(rollout(index, tokens), "timeout", "verifier: took over 1 s", None)


class Model:
    """Answers prompts in reverse. Sample s has s + 1 tokens; the longest is cut at four."""

    def __init__(self, *, missing: int = 0) -> None:
        self.missing = missing

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        for request in list(reversed(requests))[self.missing :]:
            await asyncio.sleep(0)
            rollouts = tuple(
                rollout(sample, range(sample + 1), cut=sample == 3)
                for sample in range(len(request.seeds))
            )
            yield RolloutGroup(request.group_id, request.prompt, rollouts)


class Judge:
    """Sample s of prompt i is worth 1 where s < i, else 0.5."""

    def __init__(self, *, never_answers: bool = False) -> None:
        self.never_answers = never_answers

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        if self.never_answers:
            await asyncio.Event().wait()
        verdicts = [1.0 if r.index < group.prompt.index else 0.5 for r in group.rollouts]
        scored = tuple(
            ScoredRollout(rollout, verdict, {"verifier": verdict}, verdict, None)
            for rollout, verdict in zip(group.rollouts, verdicts, strict=True)
        )
        return ScoredGroup(group.group_id, group.prompt, scored)
