"""The scorer: a group of rollouts in, the same group with rewards and teacher log-probs out."""

import asyncio
from collections.abc import Callable, Sequence

from rkd_online.metrics.busy import BusyClock, WorkLog
from rkd_online.scoring.teacher import Teacher
from rkd_online.tasks.base import Completion, Failure, TaskSource
from rkd_online.tasks.prompts import problem_of
from rkd_online.tasks.rewards import RewardParts, Rewards
from rkd_online.types import (
    Logprobs,
    Rollout,
    RolloutGroup,
    ScoredGroup,
    ScoredRollout,
    TokenIds,
    UnjudgedRollout,
)


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
    ) -> None:
        self._task = task
        self._rewards = rewards
        self._decode = decode
        self._end_token_ids = frozenset(end_token_ids)
        self._teacher = teacher
        self._clock = BusyClock("scorer")

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards and teacher log-probs of every sampled token."""
        with self._clock.busy("score"):
            rewards, logprobs = await asyncio.gather(
                self._rewards_of(group), self._teacher_logprobs(group)
            )
        return _scored(group, rewards, logprobs)

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

    async def _teacher_logprobs(self, group: RolloutGroup) -> Sequence[Logprobs | None]:
        if self._teacher is None:
            return [None] * len(group.rollouts)
        completions = [rollout.completion_ids for rollout in group.rollouts]
        return await self._teacher.completion_logprobs(group.prompt.token_ids, completions)

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
    teacher_logprobs: Sequence[Logprobs | None],
) -> ScoredGroup:
    rollouts = map(_scored_rollout, group.rollouts, rewards, teacher_logprobs)
    return ScoredGroup(group.group_id, group.prompt, tuple(rollouts))


def _scored_rollout(
    rollout: Rollout, reward: RewardParts | Failure, teacher_logprobs: Logprobs | None
) -> ScoredRollout | UnjudgedRollout:
    if isinstance(reward, Failure):
        return UnjudgedRollout(rollout, reward.cause, reward.detail, teacher_logprobs)
    return ScoredRollout(rollout, *reward, teacher_logprobs)
