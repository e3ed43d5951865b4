"""Sample held-out prompts, judge every answer, add up."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rkd_online.errors import ClusterError
from rkd_online.evaluation.measurement import Measurement, PassAt1
from rkd_online.evaluation.passk import pass_at_1
from rkd_online.types import RolloutGroup, SamplingRequest, ScoredGroup, ScoredRollout


class Answers(Protocol):
    """Whatever samples a model: the policy's generator, or the teacher's."""

    def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        """All groups of the requests, each as soon as its last sibling ends."""
        ...


class Judge(Protocol):
    """Whatever rewards a group."""

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        """The group with its rewards."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationResult:
    """Verdicts over prompts, in the order of the requests.

    ``correct`` is [prompts, samples], ``difficulties`` [prompts]. ``tokens`` and ``truncated`` are
    totals over all answers, ``seconds`` the wall time until the last answer was sampled.
    """

    correct: NDArray[np.bool_]
    difficulties: tuple[str, ...]
    tokens: int
    truncated: int
    seconds: float

    def by_difficulty(self) -> dict[str, PassAt1]:
        """pass@1 of each difficulty group, groups in alphabetical order."""
        names = np.array(self.difficulties)
        return {str(name): pass_at_1(self.correct[names == name]) for name in sorted(set(names))}


async def evaluate(
    answers: Answers,
    judge: Judge,
    requests: Sequence[SamplingRequest],
    *,
    correct_at: float,
    timeout_seconds: float,
) -> EvaluationResult:
    """Sample all requests and judge each group as it finishes.

    Raises ``ClusterError`` when the verdicts are not all there after ``timeout_seconds``.
    """
    started = time.perf_counter()
    judging: list[asyncio.Task[ScoredGroup]] = []
    try:
        async with asyncio.timeout(timeout_seconds):
            async for group in answers.sample(requests):
                judging.append(asyncio.create_task(judge.reward(group)))
            seconds = time.perf_counter() - started
            groups = await asyncio.gather(*judging)
    except TimeoutError as error:
        judged = sum(task.done() and not task.cancelled() for task in judging)
        raise ClusterError(
            f"an evaluation waited {timeout_seconds:g} s for {len(requests)} prompts: "
            f"{len(judging)} were answered, {judged} judged; set fewer evaluation.prompts or a "
            "longer evaluation.timeout_seconds"
        ) from error
    finally:
        for task in judging:
            task.cancel()
    return tabulate(requests, groups, correct_at=correct_at, seconds=seconds)


def tabulate(
    requests: Sequence[SamplingRequest],
    groups: Sequence[ScoredGroup],
    *,
    correct_at: float,
    seconds: float,
) -> EvaluationResult:
    """Verdicts in the order of the requests, whatever order the groups came in."""
    found = {group.group_id: group.rollouts for group in groups}
    rows = [_answers_of(request, found) for request in requests]
    answers = [answer for row in rows for answer in row]
    return EvaluationResult(
        correct=np.array([[a.correctness >= correct_at for a in row] for row in rows]),
        difficulties=tuple(request.prompt.difficulty for request in requests),
        tokens=sum(len(answer.rollout.completion_ids) for answer in answers),
        truncated=sum(answer.rollout.finish_reason == "length" for answer in answers),
        seconds=seconds,
    )


def _answers_of(
    request: SamplingRequest, found: dict[int, tuple[ScoredRollout, ...]]
) -> tuple[ScoredRollout, ...]:
    answers = found.get(request.group_id, ())
    if len(answers) != len(request.seeds):
        raise ClusterError(
            f"evaluation asked {len(request.seeds)} answers to prompt {request.prompt.id!r} and "
            f"got {len(answers)}"
        )
    return answers


def measure(sampled: EvaluationResult, greedy: EvaluationResult) -> Measurement:
    """One model's part of the report from its answers at temperature 1 and at 0."""
    answers = sampled.correct.size
    return Measurement(
        pass_at_1=pass_at_1(sampled.correct),
        greedy_pass_at_1=pass_at_1(greedy.correct),
        tokens_per_answer=sampled.tokens / answers,
        answers_per_second=answers / sampled.seconds,
        truncated_share=sampled.truncated / answers,
        by_difficulty=sampled.by_difficulty(),
    )
