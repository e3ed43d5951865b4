"""A backend and a server that keep what they are given, and fail when they are told to."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rkd_online.metrics.trackers.backend import Ending, Stamped
from rkd_online.metrics.trackers.mlflow_run import Value
from rkd_online.types import StepReport


def report(step: int, **metrics: float) -> StepReport:
    return StepReport(step, step, 0, {"step": 0.5}, metrics or {"reward/mean": step / 4})


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, f"waited 20 s for {what}"
        time.sleep(0.002)


class Kept:
    """Raises ``errors`` in turn before it takes anything; waits at ``gate`` in every write."""

    name = "the tracker"

    def __init__(self, *errors: Exception, start: Exception | None = None) -> None:
        self.errors = list(errors)
        self.start_error = start
        self.gate = threading.Event()
        self.gate.set()
        self.inside = threading.Event()
        self.tries = 0
        self.steps: list[int] = []
        self.endings: list[Ending] = []

    def start(self) -> None:
        if self.start_error is not None:
            raise self.start_error

    def write(self, reports: Sequence[Stamped]) -> None:
        self.tries += 1
        self.inside.set()
        assert self.gate.wait(20)
        if self.errors:
            raise self.errors.pop(0)
        self.steps += [one.report.step for one in reports]

    def end(self, ending: Ending) -> None:
        self.endings.append(ending)


class KeptByServer:
    """What an MLflow server would keep, and the size of each call."""

    def __init__(self) -> None:
        self.runs: dict[str, str] = {}
        self.names: list[tuple[str, str]] = []
        self.kept: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.values: list[Value] = []
        self.statuses: list[str] = []
        self.files: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.fails: Exception | None = None
        """Raised by the next call that would add a parameter."""

    def find(self, experiment: str, identity: str) -> str | None:
        return self.runs.get(identity)

    def create(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        self.names.append((experiment, name))
        run = f"run-{len(self.names)}"
        self.runs |= dict.fromkeys(tags.values(), run)
        return run

    def parameters(self, run: str) -> frozenset[str]:
        return frozenset(self.kept)

    def log(
        self,
        run: str,
        *,
        values: Sequence[Value] = (),
        parameters: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        given = parameters or {}
        error, self.fails = (self.fails, None) if given else (None, self.fails)
        if error is not None:
            raise error
        assert not given.keys() & self.kept.keys(), "a parameter cannot be changed"
        self.sizes.append((len(values), len(given)))
        self.values += values
        self.kept |= given
        self.tags |= tags or {}

    def status(self, run: str, status: str) -> None:
        self.statuses.append(status)

    def file(self, run: str, path: Path) -> None:
        self.files.append(path.name)
