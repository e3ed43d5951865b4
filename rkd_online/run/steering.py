"""What is asked of a job while it runs: other values for its next steps, and a pause.

Both are looked at between two steps alone, so that a step is one of one job, and what a resumed run
needs is in the checkpoint of the last.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from rkd_online.run.phases import Phases
from rkd_online.run.report import StepReporter
from rkd_online.run.roles import Policy
from rkd_online.run.stopping import Stopping
from rkd_online.spec.changes import ChangesSoFar, changed_spec
from rkd_online.spec.job import JobSpec
from rkd_online.types import Progress, StepReport

T = TypeVar("T")

WATCH_SECONDS: Final = 1.0
END_SECONDS: Final = 30.0
"""What is ended for a pause has this long to let go of what it holds."""


class Orders(Protocol):
    """What is asked of a run, as far as it is known by now."""

    @property
    def changes(self) -> ChangesSoFar | None:
        """All changes to the job."""
        ...

    @property
    def pausing(self) -> bool:
        """Whether the run is to end as soon as another one can go on from there."""
        ...


@dataclass(frozen=True, slots=True)
class NoOrders:
    """Nobody asks anything of a run without a control plane."""

    changes: None = None
    pausing: bool = False


NO_ORDERS: Final = NoOrders()


class Paused(Exception):
    """The run ends here: the checkpoint of ``step`` lies there and was reported."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


class Batches(Protocol):
    """Where the groups of the steps come from."""

    def change(self, spec: JobSpec) -> None: ...


class Followers(Protocol):
    """Who has to go on by the changed job."""

    @property
    def batches(self) -> Batches: ...

    @property
    def learner(self) -> Policy: ...

    @property
    def reporter(self) -> StepReporter: ...


class Steering:
    """The course of a job: its spec as it is by now, by what a step learns, which is the last."""

    def __init__(
        self,
        spec: JobSpec,
        progress: Progress,
        earlier: Iterable[StepReport] = (),
        *,
        orders: Orders = NO_ORDERS,
        applied: int = 0,
    ) -> None:
        """``earlier`` are the reports of the steps that are done; ``applied`` is the number of the
        changes that ``spec`` has in it."""
        self.spec = spec
        self.phases = Phases(spec, progress.phase)
        self.stopping = Stopping(spec, earlier)
        self.done = progress.step
        """The last step that is done."""
        self.pausing = False
        """Whether the run ends before its next step."""
        self._orders = orders
        self._applied = applied

    def validates(self, step: int) -> bool:
        """Whether the held-out check follows this step."""
        every = self.spec.evaluation.every
        return every > 0 and step % every == 0

    def saves(self, step: int) -> bool:
        """Whether this step gets a checkpoint."""
        due = step % self.spec.checkpoint.every == 0
        return due or step == self.stopping.last or self.pausing

    async def look(self, done: int, followers: Followers) -> None:
        """After step ``done``: take the changes that are new, for the steps to come, and learn
        whether there is to be a pause."""
        self.done, self.pausing = done, self._orders.pausing
        changes = self._orders.changes
        if changes is None:
            return
        self.phases.show(changes.values.coefficients)
        if changes.number > self._applied:
            await self._apply(changes, followers)

    def pause(self) -> None:
        """Raise Paused if the last look found that there is to be a pause; the step that was done
        last has its checkpoint."""
        if self.pausing:
            raise Paused(self.done)

    async def unless_paused(self, work: Coroutine[Any, Any, T]) -> T:
        """What ``work``, which is no step, gives. A pause ends it and raises Paused."""
        return await unless_paused(work, self._orders, self.done)

    async def _apply(self, changes: ChangesSoFar, followers: Followers) -> None:
        self.spec = spec = changed_spec(self.spec, changes.values)
        self.phases.change(spec)
        self.stopping.change(spec, self.done)
        followers.batches.change(spec)
        await followers.learner.change(spec)
        self._applied = changes.number
        first = min(self.done + 1, self.stopping.last)
        told = {"step": first, "number": changes.number, "values": changes.values.model_dump()}
        followers.reporter.event("changed", told)


async def unless_paused(work: Coroutine[Any, Any, T], orders: Orders, step: int) -> T:
    """What ``work`` gives. A pause ends it and raises Paused: ``step`` has the last checkpoint."""
    task = asyncio.create_task(work)
    try:
        while not task.done():
            if orders.pausing:
                raise Paused(step)
            await asyncio.wait([task], timeout=WATCH_SECONDS)
        return task.result()
    finally:
        if task.cancel():
            await asyncio.wait([task], timeout=END_SECONDS)
