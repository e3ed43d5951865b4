"""Who did what when, step by step, as a file that a trace viewer's format is made from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rkd_online.metrics.busy import BusySpan


class TraceFile:
    """One line per step: the spans of every worker and of the loop, in seconds since the epoch."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path

    def step(self, step: int, spans: Mapping[str, Sequence[BusySpan]]) -> None:
        """Append the spans of a step, by worker."""
        found = {
            name: [[span.stage, round(span.start, 6), round(span.end, 6)] for span in work]
            for name, work in spans.items()
        }
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, "spans": found}) + "\n")
