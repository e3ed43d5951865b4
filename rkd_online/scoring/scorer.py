"""The scorer: a group of rollouts in, the same group with rewards and teacher log-probs out."""

from collections.abc import Callable, Sequence

from rkd_online.metrics.busy import BusyClock, WorkLog
from rkd_online.scoring.teacher import Teacher
from rkd_online.tasks.base import TaskSource
from rkd_online.tasks.prompts import problem_of
from rkd_online.tasks.rewards import RewardFunction
from rkd_online.types import Logprobs, Rollout, RolloutGroup, ScoredGroup, ScoredRollout, TokenIds


class GroupScorer:
    """Rewards and, where the job has a teacher, its log-probs."""

    def __init__(
        self,
        *,
        task: TaskSource,
        reward: RewardFunction,
        decode: Callable[[list[int]], str],
        end_token_ids: Sequence[int],
        teacher: Teacher | None,
    ) -> None:
        self._task = task
        self._reward = reward
        self._decode = decode
        self._end_token_ids = frozenset(end_token_ids)
        self._teacher = teacher
        self._clock = BusyClock("scorer")

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards and teacher log-probs of every sampled token."""
        with self._clock.busy("score"):
            return self._scored(group, await self._teacher_logprobs(group))

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards alone, as evaluation needs them."""
        with self._clock.busy("score"):
            return self._scored(group, [None] * len(group.rollouts))

    async def work(self) -> WorkLog:
        """What this scorer did since the last call."""
        return self._clock.take()

    async def close(self) -> None:
        """Release the teacher."""
        if self._teacher is not None:
            await self._teacher.close()

    async def _teacher_logprobs(self, group: RolloutGroup) -> Sequence[Logprobs | None]:
        if self._teacher is None:
            return [None] * len(group.rollouts)
        completions = [rollout.completion_ids for rollout in group.rollouts]
        return await self._teacher.completion_logprobs(group.prompt.token_ids, completions)

    def _scored(
        self, group: RolloutGroup, teacher_logprobs: Sequence[Logprobs | None]
    ) -> ScoredGroup:
        rollouts = tuple(
            self._scored_rollout(group, rollout, logprobs)
            for rollout, logprobs in zip(group.rollouts, teacher_logprobs, strict=True)
        )
        return ScoredGroup(group.group_id, group.prompt, rollouts)

    def _scored_rollout(
        self, group: RolloutGroup, rollout: Rollout, teacher_logprobs: Logprobs | None
    ) -> ScoredRollout:
        problem = problem_of(self._task, group.prompt)
        text = self._decode(self._without_end(rollout.completion_ids))
        reward, parts, correctness = self._reward(problem, text, rollout.finish_reason)
        return ScoredRollout(rollout, reward, parts, correctness, teacher_logprobs)

    def _without_end(self, completion_ids: TokenIds) -> list[int]:
        ids = completion_ids.tolist()
        return ids[:-1] if ids and ids[-1] in self._end_token_ids else ids
