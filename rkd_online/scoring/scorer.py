"""The scorer: a group of rollouts in, the same group with rewards and teacher log-probs out."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias

from rkd_online.metrics.busy import BusyClock, WorkLog
from rkd_online.scoring.teacher import CandidateRequest, CandidateScores, Teacher
from rkd_online.tasks.base import Completion, Failure, TaskSource
from rkd_online.tasks.prompts import problem_of
from rkd_online.tasks.rewards import RewardParts, Rewards
from rkd_online.types import (
    CandidateRollout,
    Logprobs,
    Rollout,
    RolloutGroup,
    ScoredGroup,
    ScoredRollout,
    TokenIds,
    UnjudgedRollout,
)

TeacherScores: TypeAlias = Logprobs | CandidateScores | None
"""What the teacher says of a completion: as much as the job asks for."""


class GroupScorer:
    """Rewards and, where the job has a teacher, its log-probs."""

    def __init__(
        self,
        *,
        task: TaskSource,
        rewards: Rewards,
        decode: Callable[[list[int]], str],
        end_token_ids: Sequence[int],
        teacher: Teacher | None,
        candidates: CandidateRequest | None = None,
    ) -> None:
        """``candidates`` is what the job asks the teacher for beside log-probs."""
        self._task = task
        self._rewards = rewards
        self._decode = decode
        self._end_token_ids = frozenset(end_token_ids)
        self._teacher = teacher
        self._candidates = candidates
        self._clock = BusyClock("scorer")

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards and teacher log-probs of every sampled token."""
        with self._clock.busy("score"):
            rewards, scores = await asyncio.gather(
                self._rewards_of(group), self._teacher_scores(group)
            )
        return _scored(group, rewards, scores)

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards alone, as evaluation needs them."""
        with self._clock.busy("score"):
            rewards = await self._rewards_of(group)
        return _scored(group, rewards, [None] * len(rewards))

    async def work(self) -> WorkLog:
        """What this scorer did since the last call."""
        return self._clock.take()

    async def close(self) -> None:
        """Release the teacher and what judges."""
        self._rewards.close()
        if self._teacher is not None:
            await self._teacher.close()

    async def _teacher_scores(self, group: RolloutGroup) -> Sequence[TeacherScores]:
        if self._teacher is None:
            return [None] * len(group.rollouts)
        prompt = group.prompt.token_ids
        completions = [rollout.completion_ids for rollout in group.rollouts]
        if self._candidates is None:
            return await self._teacher.completion_logprobs(prompt, completions)
        return await self._teacher.completion_candidates(prompt, completions, self._candidates)

    async def _rewards_of(self, group: RolloutGroup) -> list[RewardParts | Failure]:
        problem = problem_of(self._task, group.prompt)
        return await self._rewards(problem, [self._completion(one) for one in group.rollouts])

    def _completion(self, rollout: Rollout) -> Completion:
        text = self._decode(self._without_end(rollout.completion_ids))
        return Completion(text, len(rollout.completion_ids), rollout.finish_reason)

    def _without_end(self, completion_ids: TokenIds) -> list[int]:
        ids = completion_ids.tolist()
        return ids[:-1] if ids and ids[-1] in self._end_token_ids else ids


def _scored(
    group: RolloutGroup,
    rewards: Sequence[RewardParts | Failure],
    scores: Sequence[TeacherScores],
) -> ScoredGroup:
    rollouts = map(_scored_rollout, group.rollouts, rewards, scores)
    return ScoredGroup(group.group_id, group.prompt, tuple(rollouts))


def _scored_rollout(
    rollout: Rollout, reward: RewardParts | Failure, scores: TeacherScores
) -> ScoredRollout | UnjudgedRollout:
    teacher_logprobs = scores.logprobs if isinstance(scores, CandidateScores) else scores
    if isinstance(reward, Failure):
        return UnjudgedRollout(rollout, reward.cause, reward.detail, teacher_logprobs)
    if isinstance(scores, CandidateScores):
        return CandidateRollout(rollout, *reward, scores.logprobs, scores.candidates)
    return ScoredRollout(rollout, *reward, teacher_logprobs)
