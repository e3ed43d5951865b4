"""Where reports and events of a run go. A sink that fails never stops a job."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from rkd_online.types import StepReport

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes what a run has to tell."""

    def report(self, report: StepReport) -> None:
        """One step's report."""
        ...

    def event(self, type: str, data: dict[str, object]) -> None:
        """Something else that happened."""
        ...

    def close(self) -> None:
        """No more is coming."""
        ...


class Sinks:
    """Several sinks behind the face of one. What one of them raises is logged, each kind of error
    once, and the job and the other sinks go on."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks
        self._said: set[tuple[int, type[Exception]]] = set()

    def report(self, report: StepReport) -> None:
        """Hand on one step's report."""
        self._tell(lambda sink: sink.report(report))

    def event(self, type: str, data: dict[str, object]) -> None:
        """Hand on an event."""
        self._tell(lambda sink: sink.event(type, data))

    def close(self) -> None:
        """No more is coming."""
        self._tell(lambda sink: sink.close())

    def _tell(self, words: Callable[[Sink], None]) -> None:
        for place, sink in enumerate(self._sinks):
            try:
                words(sink)
            except Exception as error:
                self._say(place, error)

    def _say(self, place: int, error: Exception) -> None:
        if (place, type(error)) not in self._said:
            self._said.add((place, type(error)))
            log.exception(
                "%s does not take a report; the job goes on, and another %s of it is not logged",
                type(self._sinks[place]).__name__,
                type(error).__name__,
            )


class JsonlSink:
    """One line per step, flushed as it is written."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a")

    def report(self, report: StepReport) -> None:
        """Append a line."""
        self._file.write(json.dumps(asdict(report)) + "\n")
        self._file.flush()

    def event(self, type: str, data: dict[str, object]) -> None:
        """Events have their own place."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_reports(paths: list[Path]) -> list[StepReport]:
    """The reports of all attempts in the order of the steps; a step that was done again counts as
    its last attempt did it. ``paths`` are in the order of the attempts.

    An attempt that ended before its first step has no file, one that was killed may end in half a
    line: that step has no report.
    """
    found: dict[int, StepReport] = {}
    for path in paths:
        whole, _, _ = path.read_text().rpartition("\n") if path.exists() else ("", "", "")
        for line in whole.splitlines():
            report = StepReport(**json.loads(line))
            if found and report.step <= next(reversed(found)):
                found = {step: one for step, one in found.items() if step < report.step}
            found[report.step] = report
    return list(found.values())
