"""From traced steps to the events of the Trace Event Format, which trace viewers load.

One process per attempt, one thread per worker. The spans of one thread must nest: spans of a worker
that overlap go to further threads of that worker, its lanes. Memory is bounded by one step.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

from rkd_online.metrics.busy import BusySpan
from rkd_online.metrics.trace_steps import LOOP, TracedStep

Event = dict[str, Any]

STEPS = "steps"
LANES = 10_000
"""Thread ids kept for each worker: more than any worker has spans at once. Perfetto sorts the
threads of a process by id, Chrome by their sort index."""


def trace_events(steps: Iterable[TracedStep]) -> Iterator[Event]:
    """Events in microseconds since the first span of the first step.

    A span that was cut at a step's end, and goes on in the next step, is one event. Its args name
    the first and the last step in which it was seen: the steps during which that work was done.
    """
    origin: float | None = None
    for attempt, found in groupby(steps, key=lambda one: one.attempt):
        first = next(found)
        if origin is None:
            origin = min(span.start for spans in first.work.values() for span in spans)
        process = Process(attempt, origin)
        yield from process.begin(first)
        for one in chain([first], found):
            yield from process.step(one)
        yield from process.end()


class Process:
    """The events of one attempt."""

    def __init__(self, attempt: int, origin: float) -> None:
        self._attempt = attempt
        self._origin = origin
        self._rows: dict[str, Row] = {}
        for worker in (STEPS, LOOP):
            self._row(worker)

    def begin(self, first: TracedStep) -> Iterator[Event]:
        """Its name and place, and the version it began with."""
        yield _metadata("process_name", self._attempt, name=f"attempt {self._attempt}")
        yield _metadata("process_sort_index", self._attempt, sort_index=self._attempt)
        yield self._version(first.step - 1, first.loop[0].start)

    def step(self, one: TracedStep) -> Iterator[Event]:
        """The step itself, then the work of each worker in it."""
        whole = BusySpan(STEPS, f"step {one.step}", one.loop[0].start, one.loop[-1].end)
        for worker, spans in [(STEPS, [whole]), *one.work.items()]:
            yield from self._row(worker).step(one.step, spans)
        for span in one.loop:
            if span.stage == "swap":
                yield self._version(one.step, span.end)

    def end(self) -> Iterator[Event]:
        """What no later step goes on with."""
        for row in self._rows.values():
            yield from row.end()

    def _row(self, worker: str) -> "Row":
        if worker not in self._rows:
            first = LANES * (1 + len(self._rows))
            self._rows[worker] = Row(worker, self._attempt, first, self._origin)
        return self._rows[worker]

    def _version(self, version: int, at: float) -> Event:
        """A counter; Perfetto calls it by its name and its key, one after the other."""
        ts = _microseconds(at, self._origin)
        place = {"pid": self._attempt, "tid": self._row(LOOP).first_thread, "ts": ts}
        return {"ph": "C", "name": "weight", **place, "args": {"version": version}}


@dataclass(frozen=True, slots=True)
class Piece:
    """A span in its lane, from the step in which it began."""

    span: BusySpan
    lane: int
    first: int
    last: int


class Row:
    """The threads of one worker."""

    def __init__(self, worker: str, pid: int, first_thread: int, origin: float) -> None:
        self.first_thread = first_thread
        self._worker = worker
        self._pid = pid
        self._origin = origin
        self._free_at: list[float] = []
        """By lane, when its last span ends."""
        self._cut: list[Piece] = []
        """What ended in the last moment of the step before, and may go on in the next one."""

    def step(self, step: int, spans: Sequence[BusySpan]) -> Iterator[Event]:
        """The events that are whole now."""
        known = len(self._free_at)
        pieces = self._pieces(step, spans)
        for lane in range(known, len(self._free_at)):
            yield from self._lane_metadata(lane)
        last = max((span.end for span in spans), default=0.0)
        yield from map(self._event, self._cut)
        yield from (self._event(piece) for piece in pieces if piece.span.end < last)
        self._cut = [piece for piece in pieces if piece.span.end == last]

    def end(self) -> Iterator[Event]:
        """What did not go on."""
        yield from map(self._event, self._cut)
        self._cut = []

    def _pieces(self, step: int, spans: Sequence[BusySpan]) -> list[Piece]:
        """Second halves first: each keeps its lane, the new ones take what is free then."""
        new, pieces = [], []
        for span in sorted(spans, key=lambda span: span.start):
            before = self._take_first_half(span)
            if before is None:
                new.append(span)
            else:
                whole = BusySpan(span.role, span.stage, before.span.start, span.end)
                pieces.append(Piece(whole, before.lane, before.first, step))
                self._free_at[before.lane] = span.end
        return pieces + [Piece(span, self._lane(span), step, step) for span in new]

    def _take_first_half(self, span: BusySpan) -> Piece | None:
        """Of several first halves the records do not tell which is whose: it makes no difference
        to when how many were at work."""
        for piece in self._cut:
            if (piece.span.stage, piece.span.end) == (span.stage, span.start):
                self._cut.remove(piece)
                return piece
        return None

    def _lane(self, span: BusySpan) -> int:
        """The first lane that is free when the span starts, a new one where none is."""
        for lane, free_at in enumerate(self._free_at):
            if free_at <= span.start:
                self._free_at[lane] = span.end
                return lane
        self._free_at.append(span.end)
        return len(self._free_at) - 1

    def _lane_metadata(self, lane: int) -> Iterator[Event]:
        name = f"{self._worker} ({lane + 1})" if lane else self._worker
        tid = self.first_thread + lane
        yield _metadata("thread_name", self._pid, tid=tid, name=name)
        yield _metadata("thread_sort_index", self._pid, tid=tid, sort_index=tid)

    def _event(self, piece: Piece) -> Event:
        start = _microseconds(piece.span.start, self._origin)
        return {
            "ph": "X",
            "name": piece.span.stage,
            "cat": piece.span.role,
            "pid": self._pid,
            "tid": self.first_thread + piece.lane,
            "ts": start,
            "dur": _microseconds(piece.span.end, self._origin) - start,
            "args": {"step": piece.first, "last_step": piece.last},
        }


def _metadata(kind: str, pid: int, *, tid: int | None = None, **args: str | int) -> Event:
    thread = {} if tid is None else {"tid": tid}
    return {"ph": "M", "name": kind, "pid": pid, **thread, "args": args}


def _microseconds(at: float, origin: float) -> int:
    return round((at - origin) * 1e6)
