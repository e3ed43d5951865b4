"""What the attempts of a job wrote of who did what when, read back step by step."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rkd_online.metrics.busy import BusySpan

LOOP = "loop"
"""The worker whose spans are the critical path."""


@dataclass(frozen=True, slots=True)
class TracedStep:
    """One step of one attempt: spans by worker, in seconds since the epoch."""

    attempt: int
    step: int
    work: dict[str, list[BusySpan]]

    @property
    def loop(self) -> list[BusySpan]:
        """The stages of the step, one after the other."""
        return self.work[LOOP]


def traced_steps(job: Path) -> Iterator[TracedStep]:
    """The steps of all attempts in ``job``, a job's folder, one at a time, oldest first.

    An attempt that ended before its first step has no file. One that was killed, or that is
    writing now, may end in half a line: that step is left out.
    """
    for attempt in sorted(int(path.name) for path in (job / "attempts").glob("[0-9]*")):
        path = job / "attempts" / str(attempt) / "trace.jsonl"
        if not path.exists():
            continue
        with path.open() as lines:
            for line in lines:
                if line.endswith("\n"):
                    yield _step(attempt, line)


def has_steps(job: Path) -> bool:
    """Whether any attempt has finished a step."""
    return next(traced_steps(job), None) is not None


def _step(attempt: int, line: str) -> TracedStep:
    found = json.loads(line)
    work = {
        worker: [BusySpan(worker.partition(":")[0], *span) for span in spans]
        for worker, spans in found["spans"].items()
    }
    return TracedStep(attempt, found["step"], work)
