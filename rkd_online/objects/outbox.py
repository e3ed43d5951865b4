"""A run's records on their way to the store: sent by a thread that no step waits for."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rkd_online.errors import ObjectStoreError
from rkd_online.objects.job import GROWING, JobObjects
from rkd_online.objects.segments import put_grown
from rkd_online.types import StepReport

PERIOD_SECONDS: Final = 15.0
RETRY_SECONDS: Final = 10.0
LEAVE_SECONDS: Final = 15.0
"""Time for what is being sent when a run leaves. A run that is stopped has 20 seconds in all."""
AT_THE_END: Final = ("unsent.jsonl", "refused.jsonl")
"""Lines of these can go again: they are stored when no more come."""
SENT_AWAY: Final = "rollouts"
"""Files in this folder are written once, not read here again, and many: sent, they are removed."""
NOT_MINE: Final = "checkpoints"
"""The learner stores these."""

log = logging.getLogger(__name__)

Seen = tuple[int, int]
"""Size and time of a file."""


class Outbox:
    """Looks at the job's folder, after each step and now and then, and stores what is new there.

    There is no queue that could fill up: what waits are the files themselves. ``tell`` is an event
    for whoever watches; it is told when the store begins to fail, and when it takes files again.
    """

    def __init__(self, objects: JobObjects, attempt: int, tell: Callable[[str], None]) -> None:
        self._objects = objects
        self._attempt = Path("attempts") / str(attempt)
        self._tell = tell
        self._sent: dict[Path, Seen] = {}
        self._wake = threading.Condition()
        self._asked = 0
        self._done = 0
        self._problem: str | None = None
        self._closing = False
        self._ended = False
        self._thread = threading.Thread(target=self._main, name="rkd-outbox", daemon=True)
        self._thread.start()

    def report(self, report: StepReport) -> None:
        """A step has left its records."""
        self._ask()

    def event(self, type: str, data: dict[str, object]) -> None:
        """Events have their own way."""

    def close(self) -> None:
        """Look no more; what is being sent is still sent. Nobody waits in ``flush`` any longer."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()

    def flush(self, seconds: float) -> None:
        """Wait until all that lies there now is stored. Raises ObjectStoreError where that takes
        longer than ``seconds``, and at once where no more is sent."""
        deadline = time.monotonic() + seconds
        mine = self._ask()
        with self._wake:
            while self._done < mine:
                if self._closing or self._ended:
                    raise self._missing("when the run ends", "they are no longer sent")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._missing(f"after {seconds:.0f} s", "they are still being sent")
                self._wake.wait(left)

    def leave(self) -> None:
        """Wait for what is being sent, then store what can only be stored at the end; behind
        ``close``. Raises ObjectStoreError where the store takes none of it in time."""
        self._thread.join(LEAVE_SECONDS)
        if self._thread.is_alive():
            raise self._missing(f"{LEAVE_SECONDS:.0f} s after its end", "they are still being sent")
        for name in AT_THE_END:
            if self._objects.here(self._attempt / name).is_file():
                self._objects.push(self._attempt / name)

    def _ask(self) -> int:
        with self._wake:
            self._asked += 1
            self._wake.notify_all()
            return self._asked

    def _missing(self, when: str, why: str) -> ObjectStoreError:
        return ObjectStoreError(
            f"the records of the run are not in {self._objects} {when}: {self._problem or why}"
        )

    def _main(self) -> None:
        try:
            self._work()
        except BaseException as error:  # who waits for the records has to learn why
            self._problem = f"{type(error).__name__}: {error}"
            raise
        finally:
            with self._wake:
                self._ended = True
                self._wake.notify_all()

    def _work(self) -> None:
        while True:
            with self._wake:
                if not self._closing and self._asked == self._done:
                    self._wake.wait(PERIOD_SECONDS)
                if self._closing:
                    return
                asked = self._asked
            problem = self._send()
            self._note(problem)
            with self._wake:
                if problem is None:
                    self._done = asked
                    self._wake.notify_all()
                elif not self._closing:
                    self._wake.wait(RETRY_SECONDS)

    def _send(self) -> str | None:
        """Store what is new; what is wrong where that fails, and the rest waits."""
        try:
            for path, seen in self._waiting():
                self._store(path, seen)
        except (ObjectStoreError, OSError) as error:
            return str(error)
        return None

    def _note(self, problem: str | None) -> None:
        if problem is not None:
            log.warning("records wait on this node: %s", problem)
        if problem is not None and self._problem is None:
            self._tell(f"the object store takes no records; they wait on this node: {problem}")
        elif problem is None and self._problem is not None:
            self._tell("the object store takes records again")
        self._problem = problem

    def _store(self, path: Path, seen: Seen) -> None:
        place = self._objects.here(path)
        if path.suffix == GROWING:
            before = self._sent.get(path, (0, 0))[0]
            size = put_grown(self._objects.store, place, self._objects.name(path), before)
            self._sent[path] = (size, seen[1])
            return
        self._objects.push(path)
        self._sent[path] = seen
        if path.parent.name == SENT_AWAY:
            place.unlink(missing_ok=True)
            del self._sent[path]

    def _waiting(self) -> Iterator[tuple[Path, Seen]]:
        """Files that are not in the store as they are here, by their paths below the job's."""
        for path in self._mine():
            try:
                found = self._objects.here(path).stat()
            except FileNotFoundError:  # a report was just replaced
                continue
            seen = (found.st_size, found.st_mtime_ns)
            if self._sent.get(path) != seen:
                yield path, seen

    def _mine(self) -> list[Path]:
        """The report last: it says that a job is done."""
        job = self._objects.folder
        own = [
            path
            for path in sorted(self._objects.here(self._attempt).rglob("*"))
            if NOT_MINE not in path.parts[len(job.parts) :] and path.name not in AT_THE_END
        ]
        curves = sorted((job / "tensorboard").rglob("*"))
        reports = sorted(job.glob("report.*"))[::-1]
        shared = [*curves, *sorted((job / "evaluations").glob("*")), *reports]
        return [
            path.relative_to(job)
            for path in [*own, *shared]
            if path.is_file() and not path.name.startswith(".")
        ]
