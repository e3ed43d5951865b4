"""Several generators behind the face of one, and several scorers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from rkd_online.spec.mixture import Course
from rkd_online.types import RolloutGroup, SamplingRequest, ScoredGroup


class Sampler(Protocol):
    """One generator, or several behind its face."""

    def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        """All groups of the requests, each as soon as its last sibling ends."""
        ...

    async def abort(self, group_ids: Sequence[int]) -> None:
        """Stop sampling these groups, of which it may have none; they never come."""
        ...


class Judge(Protocol):
    """One scorer, or several behind its face."""

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards and, where the job has a teacher, its log-probs of every sampled token."""
        ...

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards alone."""
        ...


class Load:
    """Tokens that each of several workers still has to do."""

    def __init__(self, workers: int) -> None:
        self._tokens = [0] * workers

    def add(self, tokens: int) -> int:
        """Give a piece of work to the worker with the least, of equals the first; returns which."""
        worker = self._tokens.index(min(self._tokens))
        self._tokens[worker] += tokens
        return worker

    def remove(self, worker: int, tokens: int) -> None:
        """The piece is done, or no longer wanted."""
        self._tokens[worker] -= tokens


class _Share:
    """The tokens of one call's groups that a generator still has to do."""

    def __init__(self, load: Load, worker: int, requests: Sequence[SamplingRequest]) -> None:
        self._load = load
        self._worker = worker
        self._tokens = {request.group_id: sampling_tokens(request) for request in requests}

    def forget(self, group_ids: Sequence[int]) -> None:
        """These have ended, or are no longer wanted; of some it may have none."""
        for group_id in group_ids:
            self._load.remove(self._worker, self._tokens.pop(group_id, 0))


class GeneratorPool:
    """Deals groups to its generators and merges what they give.

    A group goes whole to the generator with the fewest tokens outstanding, so that its siblings
    share the prompt in that engine's cache. All groups of a call are dealt before any is sampled:
    with nothing outstanding before, where each goes is a function of the requests alone.
    """

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        self._samplers = samplers
        self._load = Load(len(samplers))
        self._shares: list[_Share] = []

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        """Groups of all generators as they end."""
        dealt: list[list[SamplingRequest]] = [[] for _ in self._samplers]
        for request in requests:
            dealt[self._load.add(sampling_tokens(request))].append(request)
        finished: asyncio.Queue[RolloutGroup | Exception | None] = asyncio.Queue()
        tasks = [
            asyncio.create_task(self._drain(worker, share, finished))
            for worker, share in enumerate(dealt)
            if share
        ]
        try:
            running = len(tasks)
            while running:
                item = await finished.get()
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    running -= 1
                else:
                    yield item
        finally:
            for task in tasks:
                task.cancel()

    async def abort(self, group_ids: Sequence[int]) -> None:
        """Stop sampling these groups, wherever they are."""
        for share in self._shares:
            share.forget(group_ids)
        await asyncio.gather(*(sampler.abort(group_ids) for sampler in self._samplers))

    async def _drain(
        self,
        worker: int,
        share: Sequence[SamplingRequest],
        finished: "asyncio.Queue[RolloutGroup | Exception | None]",
    ) -> None:
        outstanding = _Share(self._load, worker, share)
        self._shares.append(outstanding)
        try:
            async for group in self._samplers[worker].sample(share):
                outstanding.forget([group.group_id])
                finished.put_nowait(group)
            finished.put_nowait(None)
        except Exception as error:  # raised again where the groups are read
            finished.put_nowait(error)
        finally:
            self._shares.remove(outstanding)
            outstanding.forget([request.group_id for request in share])


class ScorerPool:
    """Hands each group to the scorer with the fewest tokens outstanding.

    A scorer holds ``at_once`` groups at most; the others wait here.
    """

    def __init__(self, scorers: Sequence[Judge], *, at_once: int = 4) -> None:
        self._scorers = scorers
        self._load = Load(len(scorers))
        self._room = [asyncio.Semaphore(at_once) for _ in scorers]

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards and teacher log-probs."""
        async with self._scorer(scoring_tokens(group)) as scorer:
            return await scorer.score(group)

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards alone."""
        async with self._scorer(scoring_tokens(group)) as scorer:
            return await scorer.reward(group)

    @asynccontextmanager
    async def _scorer(self, tokens: int) -> AsyncIterator[Judge]:
        worker = self._load.add(tokens)
        try:
            async with self._room[worker]:
                yield self._scorers[worker]
        finally:
            self._load.remove(worker, tokens)


class CourseScorers:
    """Hands each group to the scorers that have its task's teacher."""

    def __init__(self, courses: Sequence[Course], scorers: Sequence[Sequence[Judge]]) -> None:
        """``scorers`` are those of each course."""
        self._pools = {
            part.name: pool
            for course, own in zip(courses, scorers, strict=True)
            for pool in [ScorerPool(own)]
            for part in course.parts
        }

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards and teacher log-probs."""
        return await self._pools[group.prompt.task].score(group)

    async def reward(self, group: RolloutGroup) -> ScoredGroup:
        """Rewards alone."""
        return await self._pools[group.prompt.task].reward(group)


def job_scorers(courses: Sequence[Course], scorers: Sequence[Sequence[Judge]]) -> Judge:
    """All scorers of a job behind one face; ``scorers`` are those of each course."""
    if len(courses) == 1:
        return ScorerPool(scorers[0])
    return CourseScorers(courses, scorers)


def sampling_tokens(request: SamplingRequest) -> int:
    """What a group costs a generator at most: its prompt once, then every sibling."""
    return len(request.prompt.token_ids) + len(request.seeds) * request.max_new_tokens


def scoring_tokens(group: RolloutGroup) -> int:
    """What a group costs a teacher: its prompt once, then every completion."""
    completions = sum(len(rollout.completion_ids) for rollout in group.rollouts)
    return len(group.prompt.token_ids) + completions
