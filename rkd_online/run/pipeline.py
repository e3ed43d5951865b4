"""What flows between two updates: prompts to generators, groups to scorers, full batches out.

Groups are asked for as far ahead as their staleness allows, which also bounds memory: at most
``max_staleness`` + 1 steps' groups are anywhere between prompt and learner. A group goes to scoring
the moment it ends. One that is too old is dropped and counted, and so are those that keep a step
waiting while no group ends and, where the job says so, those without signal; the next prompts take
their places.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol, TypeVar

from rkd_online.errors import ClusterError
from rkd_online.run.freshness import admitted_steps, staleness
from rkd_online.run.pools import Judge, Sampler
from rkd_online.run.stages import StageClock
from rkd_online.spec.job import JobSpec
from rkd_online.types import (
    FIRST_PHASE,
    PhasePlace,
    Progress,
    Rollout,
    RolloutGroup,
    SamplingRequest,
    ScoredGroup,
    WeightVersion,
)

T = TypeVar("T")
DROPPED: Final = {
    "stale": "rollout/stale_groups",
    "late": "rollout/late_groups",
    "flat": "rollout/flat_groups",
}
"""Why a group is dropped, and the metric that counts it."""


class Prompts(Protocol):
    """What the job samples."""

    def request(self, group_id: int) -> SamplingRequest:
        """Group ``group_id``, the same whenever it is asked for."""
        ...

    def follow(self, spec: JobSpec, progress: Progress) -> None:
        """What a changed job samples, from here on."""
        ...


class Pipeline:
    """Keeps generators and scorers at work and hands out the batches of the steps in turn."""

    def __init__(
        self,
        prompts: Prompts,
        generators: Sampler,
        scorers: Judge,
        spec: JobSpec,
        progress: Progress,
    ) -> None:
        self._prompts = prompts
        self._generators = generators
        self._scorers = scorers
        self._rollout = spec.rollout
        self._steps = spec.steps
        self._learned = progress.step
        self._version: WeightVersion = progress.step
        self._teacher = True
        self._begun = False
        self._flat_room = 0
        """How many more groups without signal may be dropped for this step."""
        self._again = list(progress.open_groups)
        self._next_group = progress.next_group
        self._open: dict[int, bool] = {}
        """Groups that were asked for and neither handed out nor dropped, and whether the teacher
        scores them: settled when they are asked for, since what becomes known later would be known
        to some groups of a step and not to others."""
        self._quiet_since = 0.0
        """When a group ended last, or the step began to wait, by the monotonic clock."""
        self._sampled_at: dict[int, float] = {}
        """In seconds since the epoch, as the spans of all roles are."""
        self._scored: dict[int, ScoredGroup] = {}
        self._arrivals: asyncio.Queue[ScoredGroup | Exception] = asyncio.Queue()
        self._dropped = dict.fromkeys(DROPPED, 0)
        self._tasks: set[asyncio.Task[None]] = set()

    def sample_with(self, version: WeightVersion, *, teacher: bool) -> None:
        """The generators have ``version`` now: ask for what it admits. Where no step to come needs
        the ``teacher`` these groups get rewards alone."""
        self._version = version
        self._teacher = teacher
        self._begun = True
        self._admit()

    def change(self, spec: JobSpec) -> None:
        """Go on for as many steps as a changed job has; groups of steps that it no longer has may
        stand in for those of an earlier one."""
        self._steps = spec.steps
        self._prompts.follow(spec, self.progress(FIRST_PHASE))
        if self._begun:
            self._admit()

    async def batch(self, step: int, clock: StageClock) -> list[ScoredGroup]:
        """The groups of step ``step`` in the order of their ids: of those that are scored and fresh
        enough the first ones. The clock gets what was waited for: sampling, then scores.

        Raises ClusterError when they are not there within the step's timeout, and whatever a
        generator or scorer raised.
        """
        started, size = time.time(), self._rollout.prompts_per_step
        self._quiet_since = time.monotonic()
        ends = self._quiet_since + self._rollout.timeout_seconds
        scored = self._scored.items()
        self._drop("stale", [key for key, one in scored if self._too_old(_rollouts(one))])
        while len(self._scored) < size or not self._arrivals.empty():
            await self._arrival(ends)
        chosen = sorted(self._scored)[:size]
        sampled = max(started, *(self._sampled_at[key] for key in chosen))
        clock.add("generate", started, sampled)
        clock.add("score", sampled, time.time())
        groups = [self._scored[key] for key in chosen]
        self._forget(chosen)
        self._learned = step
        return groups

    def drop_flat(self, most: int) -> None:
        """Of the groups for the next step drop up to ``most`` whose rewards are all equal."""
        self._flat_room = most

    def progress(self, phase: PhasePlace) -> Progress:
        """Where a run would go on that starts again after the last batch, in that phase."""
        waiting = sorted([*self._open, *self._again])
        return Progress(self._learned, self._next_group, tuple(waiting), phase)

    def take_dropped(self) -> dict[str, float]:
        """How many groups were dropped since the last call, by reason."""
        taken, self._dropped = self._dropped, dict.fromkeys(DROPPED, 0)
        return {DROPPED[reason]: float(count) for reason, count in taken.items()}

    async def give_up(self) -> None:
        """No step is to come: engines that went on sampling would keep an evaluation waiting."""
        await self.close()
        if unsampled := sorted(self._open.keys() - self._sampled_at.keys()):
            await self._generators.abort(unsampled)

    async def close(self) -> None:
        """Stop waiting for anything that is still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _admit(self) -> None:
        per_step = self._rollout.prompts_per_step
        admitted = admitted_steps(self._version, self._rollout.max_staleness, self._steps)
        room = (admitted - self._learned) * per_step - len(self._open)
        groups = [self._take_group() for _ in range(room)]
        if groups:
            self._open.update(dict.fromkeys(groups, self._teacher))
            self._start(self._sample, [self._prompts.request(group) for group in groups])

    def _take_group(self) -> int:
        if self._again:
            return self._again.pop(0)
        self._next_group += 1
        return self._next_group - 1

    async def _sample(self, requests: Sequence[SamplingRequest]) -> None:
        async for group in self._generators.sample(requests):
            if group.group_id not in self._open:
                continue
            self._quiet_since = time.monotonic()
            if self._too_old(group.rollouts):
                self._drop("stale", [group.group_id])
            else:
                self._sampled_at[group.group_id] = time.time()
                taught = self._open[group.group_id]
                self._start(self._score if taught else self._reward, group)

    async def _score(self, group: RolloutGroup) -> None:
        self._arrivals.put_nowait(await self._scorers.score(group))

    async def _reward(self, group: RolloutGroup) -> None:
        self._arrivals.put_nowait(await self._scorers.reward(group))

    def _start(self, work: Callable[[T], Coroutine[Any, Any, None]], on: T) -> None:
        task = asyncio.create_task(self._or_report(work, on))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _or_report(self, work: Callable[[T], Coroutine[Any, Any, None]], on: T) -> None:
        try:
            await work(on)
        except Exception as error:  # raised again where the batch is waited for
            self._arrivals.put_nowait(error)

    async def _arrival(self, ends: float) -> None:
        """Wait until a group is scored, or some are late; at ``ends`` the step is."""
        late = self._late_at() if self._needed() > 0 else ends
        try:
            async with asyncio.timeout(min(ends, late) - time.monotonic()):
                arrival = await self._arrivals.get()
        except TimeoutError:
            await self._give_up(ends)
            return
        if isinstance(arrival, Exception):
            raise arrival
        self._scored[arrival.group_id] = arrival
        if self._too_old(_rollouts(arrival)):
            self._drop("stale", [arrival.group_id])
        elif self._flat_room > 0 and arrival.flat:
            self._flat_room -= 1
            self._drop("flat", [arrival.group_id])

    async def _give_up(self, ends: float) -> None:
        """On the groups that are late; when the whole step is, on the attempt."""
        now = time.monotonic()
        if now >= ends:
            rollout = self._rollout
            raise ClusterError(
                f"a step waited {rollout.timeout_seconds:g} s for {rollout.prompts_per_step} "
                f"groups: of {len(self._open)} asked for, {len(self._sampled_at)} were sampled and "
                f"{len(self._scored)} scored; raise rollout.timeout_seconds or sample less per step"
            )
        if now >= self._late_at():
            late = self._missing()
            self._quiet_since = now
            self._drop("late", late)
            await self._generators.abort(late)

    def _late_at(self) -> float:
        return self._quiet_since + self._rollout.group_timeout_seconds

    def _missing(self) -> list[int]:
        """The groups that the step still needs sampled: those asked for first, which generators
        work on first."""
        return sorted(self._open.keys() - self._sampled_at.keys())[: max(self._needed(), 0)]

    def _needed(self) -> int:
        """Groups that the step cannot do without and that have not ended."""
        return self._rollout.prompts_per_step - len(self._sampled_at)

    def _too_old(self, rollouts: Sequence[Rollout]) -> bool:
        """For the next update, whose learner has learned from all batches so far."""
        return staleness(rollouts, self._learned) > self._rollout.max_staleness

    def _drop(self, reason: str, groups: Sequence[int]) -> None:
        self._forget(groups)
        self._dropped[reason] += len(groups)
        self._admit()

    def _forget(self, groups: Sequence[int]) -> None:
        for group in groups:
            del self._open[group]
            self._sampled_at.pop(group, None)
            self._scored.pop(group, None)


def _rollouts(group: ScoredGroup) -> list[Rollout]:
    return [scored.rollout for scored in group.rollouts]
