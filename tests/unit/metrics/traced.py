"""Traced jobs as their runs leave them, and their events as a viewer is given them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from rkd_online.metrics.chrome_trace import chrome_trace

Spans = Sequence[tuple[str, float, float]]


def write_steps(job: Path, attempt: int, *steps: tuple[int, Mapping[str, Spans]]) -> Path:
    """Append steps to an attempt's file, which is returned."""
    path = job / "attempts" / str(attempt) / "trace.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for step, spans in steps:
            file.write(json.dumps({"step": step, "spans": spans}) + "\n")
    return path


def two_steps(job: Path) -> Path:
    """A generator at work from 9 to 16 s, twice at once from 11 to 12 s. Its second piece of work
    goes on over the end of step 1 at 13.5 s. The loop has nothing to do from 13 to 13.5 s."""
    return write_steps(
        job,
        1,
        (
            1,
            {
                "loop": [("generate", 10.0, 12.0), ("swap", 12.0, 13.0)],
                "generator:0": [("generate", 9.0, 12.0), ("generate", 11.0, 13.5)],
                "learner:0": [],
            },
        ),
        (
            2,
            {
                "loop": [("generate", 13.5, 15.0), ("swap", 15.0, 16.0)],
                "generator:0": [("publish", 14.0, 16.0), ("generate", 13.5, 14.5)],
                "learner:0": [("publish", 15.0, 15.5)],
            },
        ),
    )


def viewed(job: Path) -> list[dict[str, Any]]:
    """All events of a job's trace."""
    events: list[dict[str, Any]] = json.loads("".join(chrome_trace(job)))["traceEvents"]
    return events


def by_thread(events: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[str, int, int]]]:
    """Names, starts and durations of the complete events, by process and thread."""
    names = {
        (one["pid"], one["tid"]): one["args"]["name"]
        for one in events
        if one["name"] == "thread_name"
    }
    found: dict[str, list[tuple[str, int, int]]] = {}
    for one in events:
        if one["ph"] == "X":
            thread = f"{one['pid']} {names[one['pid'], one['tid']]}"
            found.setdefault(thread, []).append((one["name"], one["ts"], one["dur"]))
    return {thread: sorted(spans, key=lambda one: one[1]) for thread, spans in found.items()}


def overlaps(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Threads with a span that begins before the one before has ended: no viewer draws both."""
    for thread, spans in by_thread(events).items():
        for (_, start, duration), (_, following, _) in pairwise(spans):
            if following < start + duration:
                yield thread
