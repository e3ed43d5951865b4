"""Sample held-out prompts and judge every answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rkd_online.errors import ClusterError
from rkd_online.types import PromptItem, RolloutGroup, SamplingRequest, ScoredGroup


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


@dataclass(frozen=True, slots=True)
class Answered:
    """All requests answered and judged, in their order. ``seconds`` is the wall time until the last
    answer was sampled."""

    groups: tuple[ScoredGroup, ...]
    seconds: float


async def evaluate(
    answers: Answers,
    judge: Judge,
    requests: Sequence[SamplingRequest],
    *,
    timeout_seconds: float,
    on_group: Callable[[int], object] = lambda answered: None,
) -> Answered:
    """Sample all requests and judge each group as it finishes; ``on_group`` hears how many have.

    Raises ``ClusterError`` when the verdicts are not all there after ``timeout_seconds``.
    """
    started = time.perf_counter()
    judging: list[asyncio.Task[ScoredGroup]] = []
    try:
        async with asyncio.timeout(timeout_seconds):
            async for group in answers.sample(requests):
                judging.append(asyncio.create_task(judge.reward(group)))
                on_group(len(judging))
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
    return Answered(_in_order(requests, groups), seconds)


def joined(prompts: Sequence[PromptItem], parts: Sequence[Answered]) -> Answered:
    """Answers to some of the prompts each, one part after the other, as those to all of them."""
    found = {group.prompt.id: group for part in parts for group in part.groups}
    groups = tuple(found[prompt.id] for prompt in prompts)
    return Answered(groups, sum(part.seconds for part in parts))


def _in_order(
    requests: Sequence[SamplingRequest], groups: Sequence[ScoredGroup]
) -> tuple[ScoredGroup, ...]:
    """The groups in the order of the requests, whatever order they came in; each whole."""
    found = {group.group_id: group for group in groups}
    for request in requests:
        group = found.get(request.group_id)
        answers = 0 if group is None else len(group.rollouts)
        if answers != len(request.seeds):
            raise ClusterError(
                f"evaluation asked {len(request.seeds)} answers to prompt {request.prompt.id!r} "
                f"and got {answers}"
            )
    return tuple(found[request.group_id] for request in requests)
