"""The reward of a completion: named parts and their weighted sum, or why it has none."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from rkd_online.spec.task import (
    FinishedReward,
    FormatReward,
    InstalledReward,
    JudgingSpec,
    LengthReward,
    OverlongReward,
    Reward,
    Task,
    VerifierReward,
    part_name,
    verdicts,
)
from rkd_online.tasks.base import Completion, Failure, Problem, Verifier
from rkd_online.tasks.extract import extract
from rkd_online.tasks.isolation import JudgingProcess
from rkd_online.tasks.judging import VERIFIER, Call, JudgingSetup
from rkd_online.tasks.parts import overlong_penalty, shaped_length, written_in_tags
from rkd_online.tasks.verifiers import can_fail, verifier


class RewardParts(NamedTuple):
    """``reward`` is the weighted sum of ``parts``; ``correctness`` the one that is the verdict, of
    a verifier 0 to 1."""

    reward: float
    parts: dict[str, float]
    correctness: float


class Rewards(Protocol):
    """Whatever rewards the completions of a problem."""

    async def __call__(
        self, problem: Problem, completions: Sequence[Completion]
    ) -> list[RewardParts | Failure]:
        """The reward of each, or why it has none."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


class Judges(Protocol):
    """Whatever judges apart from this process."""

    async def judge(self, calls: Sequence[Call]) -> list[float | Failure]:
        """What is said of each call, in their order."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


class RewardFunction:
    """The rewards that a job asks for.

    ``verify`` is the verifier where it runs in this process; else ``apart`` has it, if the job has
    one, and all installed rewards. ``longest`` is the most tokens that a completion can have.
    """

    def __init__(
        self,
        rewards: Sequence[Reward],
        *,
        verify: Verifier | None,
        apart: Judges | None,
        correct_at: float,
        longest: int,
    ) -> None:
        self._rewards = rewards
        self._verify = verify
        self._apart = apart
        self._correct_at = correct_at
        self._longest = longest
        (verdict,) = verdicts(rewards)
        self._verdict = part_name(verdict)
        self._extractor = verdict.extractor if isinstance(verdict, VerifierReward) else None

    async def __call__(
        self, problem: Problem, completions: Sequence[Completion]
    ) -> list[RewardParts | Failure]:
        """The reward of each completion of a problem; a Failure where a part of it has no value.

        Where the extractor finds no answer the verifier's part is 0.
        """
        answers = [self._answer(completion) for completion in completions]
        calls = list(map(partial(self._calls, problem), completions, answers))
        said = iter(await self._judged([call for own in calls for call in own]))
        return [
            self._whole(problem, completion, answer, {call.part: next(said) for call in own})
            for completion, answer, own in zip(completions, answers, calls, strict=True)
        ]

    def close(self) -> None:
        """End the process that judges, where there is one."""
        if self._apart is not None:
            self._apart.close()

    def _answer(self, completion: Completion) -> str | None:
        return extract(self._extractor, completion.text) if self._extractor is not None else None

    async def _judged(self, calls: Sequence[Call]) -> list[float | Failure]:
        return await self._apart.judge(calls) if self._apart is not None and calls else []

    def _calls(self, problem: Problem, completion: Completion, answer: str | None) -> list[Call]:
        """What of a completion is judged apart."""
        calls = [
            Call(reward.name, problem, completion)
            for reward in self._rewards
            if isinstance(reward, InstalledReward)
        ]
        if self._verify is None and answer is not None:
            calls.append(Call(VERIFIER, problem, answer))
        return calls

    def _whole(
        self,
        problem: Problem,
        completion: Completion,
        answer: str | None,
        apart: Mapping[str, float | Failure],
    ) -> RewardParts | Failure:
        found = {self._verdict: 0.0}
        if self._verify is not None and answer is not None:
            found[VERIFIER] = self._verify(problem, answer)
        for part, judged in apart.items():
            if isinstance(judged, Failure):
                return judged
            found[part] = judged
        parts = {
            part_name(reward): self._part(reward, completion, found) for reward in self._rewards
        }
        total = sum(reward.weight * parts[part_name(reward)] for reward in self._rewards)
        if not math.isfinite(total):
            return Failure("not_finite", f"the weighted sum of {parts} is {total}")
        return RewardParts(total, parts, found[self._verdict])

    def _part(self, reward: Reward, completion: Completion, found: Mapping[str, float]) -> float:
        match reward:
            case VerifierReward() | InstalledReward():
                return found[part_name(reward)]
            case FinishedReward():
                return float(completion.finish_reason == "stop")
            case FormatReward():
                return written_in_tags(completion.text, reward)
            case LengthReward():
                correct = found[self._verdict] >= self._correct_at
                return shaped_length(
                    completion.tokens, self._longest, correct=correct, shape=reward
                )
            case OverlongReward():
                return overlong_penalty(completion.tokens, self._longest, reward.soft_tokens)


def build_rewards(
    rewards: Sequence[Reward],
    task: Task,
    *,
    judging: JudgingSpec,
    correct_at: float,
    longest: int,
    start_seconds: float,
) -> RewardFunction:
    """The rewards of a job, with a process of their own for what could hang or crash this one.

    Raises TaskError for an installed reward that cannot be loaded within ``start_seconds``.
    """
    verified = any(isinstance(reward, VerifierReward) for reward in rewards)
    apart = verified and can_fail(task)
    installed = tuple(reward for reward in rewards if isinstance(reward, InstalledReward))
    setup = JudgingSetup(
        task=task if apart else None,
        installed=installed,
        seconds=judging.seconds,
        memory_bytes=judging.memory_mib << 20,
    )
    return RewardFunction(
        rewards,
        verify=verifier(task) if verified and not apart else None,
        apart=JudgingProcess(setup, start_seconds=start_seconds) if apart or installed else None,
        correct_at=correct_at,
        longest=longest,
    )
