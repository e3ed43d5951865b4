"""A tracker that never stops a job and never slows it: all its work is done in a thread."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from rkd_online.metrics.trackers.backend import Backend, Ending, Refused, Stamped, Unusable
from rkd_online.types import StepReport

log = logging.getLogger(__name__)

MOST_WAITING: Final = 1000
"""Steps that wait for a tracker; of more the oldest are dropped."""
BATCH: Final = 20
"""Steps that are written at a time."""
FIRST_WAIT: Final = 1.0
"""Seconds until what failed is tried again, doubled each time."""
LONGEST_WAIT: Final = 60.0


class TrackerSink:
    """Hands the reports to a backend, in order.

    Trouble is told once: when it begins, when steps are first dropped, and at the end what is
    missing.
    """

    def __init__(
        self,
        backend: Backend,
        tell: Callable[[str], None],
        *,
        most_waiting: int = MOST_WAITING,
        first_wait: float = FIRST_WAIT,
    ) -> None:
        """``tell`` gets the lines for whoever watches the job, from several threads."""
        self._backend = backend
        self._tell = tell
        self._most = most_waiting
        self._first_wait = first_wait
        self._change = threading.Condition()
        self._waiting: deque[Stamped] = deque()
        self._at_work = 0
        """Steps that are being written."""
        self._lost = 0
        self._given_up = False
        self._ending: Ending | None = None
        self._ended = False
        self._said: set[str] = set()
        self._thread = threading.Thread(
            target=self._main, name=f"rkd-{type(backend).__name__}", daemon=True
        )
        self._thread.start()

    def report(self, report: StepReport) -> None:
        """Queue a step's report."""
        with self._change:
            if self._over():
                self._lost += 1
                return
            self._waiting.append(Stamped(time.time(), report))
            full = len(self._waiting) > self._most
            if full:
                self._waiting.popleft()
                self._lost += 1
            self._change.notify()
        if full:
            name, most = self._backend.name, self._most
            self._say("drop", f"more than {most} steps wait for {name}: the oldest are dropped")

    def event(self, type: str, data: dict[str, object]) -> None:
        """Events have their own place."""

    def close(self) -> None:
        """An attempt ends by ``end``."""

    def end(self, ending: Ending) -> None:
        """The attempt ends so. What waits is written, and what fails is not tried again."""
        with self._change:
            self._ending = ending
            self._change.notify()

    def wait(self, timeout: float) -> None:
        """Give the end ``timeout`` seconds to be written, and say what is missing then."""
        self._thread.join(timeout)
        with self._change:
            self._given_up = True
            lost = self._lost + self._at_work + len(self._waiting)
            ended = self._ended
            self._change.notify()
        name = self._backend.name
        if lost:
            self._say("lost", f"{name} misses {lost} step{'s' * (lost > 1)} of this attempt")
        elif not ended:
            self._say("lost", f"{name} was not told all of how this attempt ended")

    def _main(self) -> None:
        if not self._done(self._backend.start):
            return
        while batch := self._next():
            if self._done(partial(self._backend.write, batch)):
                self._at_work = 0
        ending = self._ending
        if ending is not None and not self._given_up:
            self._ended = self._done(partial(self._backend.end, ending))

    def _next(self) -> list[Stamped]:
        """The steps that have waited longest; none when no more are coming."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._over())
            if self._given_up:
                return []
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._at_work = len(batch)
            return batch

    def _done(self, work: Callable[[], None]) -> bool:
        """Try until it is done, or refused, or the attempt is over."""
        wait = self._first_wait
        while True:
            last = self._over()
            try:
                work()
                return True
            except Unusable as error:
                self._say("trouble", f"{self._backend.name}: {error}; the job goes on without it")
                return self._give_up()
            except Refused as error:
                self._say("refused", f"{self._backend.name} refuses what it is sent: {error}")
                return self._drop()
            except Exception as error:
                self._say("trouble", f"{self._backend.name} fails, and the job goes on: {error}")
            if last:
                return self._give_up()
            with self._change:
                self._change.wait_for(self._over, wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def _over(self) -> bool:
        return self._ending is not None or self._given_up

    def _drop(self) -> bool:
        with self._change:
            self._lost += self._at_work
            self._at_work = 0
        return False

    def _give_up(self) -> bool:
        with self._change:
            self._given_up = True
        return False

    def _say(self, kind: str, message: str) -> None:
        """Tell it, where nothing of its kind was told before."""
        with self._change:
            new = kind not in self._said
            self._said.add(kind)
        log.log(logging.WARNING if new else logging.INFO, "%s", message)
        if new:
            self._tell(message)
