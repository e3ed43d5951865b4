"""A job's trace as one file that https://ui.perfetto.dev and chrome://tracing load."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from rkd_online.metrics.trace_events import trace_events
from rkd_online.metrics.trace_steps import TracedStep, traced_steps
from rkd_online.metrics.trace_summary import TraceSummary, TraceTotals

EVENTS_AT_ONCE = 500
ENCODER = json.JSONEncoder(separators=(",", ":"))


def chrome_trace(job: Path) -> Iterator[str]:
    """The text of the file in pieces, from a job's folder that has steps.

    It is the Trace Event Format's JSON object, one event per line. Its last line is ``otherData``,
    which viewers show as the trace's metadata: here the summary.
    """
    totals = TraceTotals()
    events = trace_events(_counted(job, totals))
    before = '{"displayTimeUnit":"ms","traceEvents":[\n'
    while lines := [ENCODER.encode(one) for one in islice(events, EVENTS_AT_ONCE)]:
        yield before + ",\n".join(lines)
        before = ",\n"
    yield f'\n],\n"otherData":{totals.summary().model_dump_json()}}}'


def summary_of(last_line: str) -> TraceSummary:
    """The summary, from the last line of such a file."""
    return TraceSummary.model_validate(json.loads("{" + last_line)["otherData"])


def _counted(job: Path, totals: TraceTotals) -> Iterator[TracedStep]:
    for one in traced_steps(job):
        totals.add(one)
        yield one
