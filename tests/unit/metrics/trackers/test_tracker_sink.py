"""The thread between a run and its tracker: nothing that it meets reaches the run."""

import logging
import time

import pytest

from rkd_online.metrics.trackers.backend import Ending, Outcome, Refused, Unusable
from rkd_online.metrics.trackers.sink import TrackerSink
from tests.unit.metrics.trackers.backends import Kept, report, until

DONE = Ending(Outcome.FINISHED, ())


class Told(list[str]):
    def __call__(self, message: str) -> None:
        self.append(message)


def ended(sink: TrackerSink, timeout: float = 20) -> None:
    sink.end(DONE)
    sink.wait(timeout)


def test_steps_arrive_in_order_and_the_end_behind_them() -> None:
    kept, told = Kept(), Told()
    sink = TrackerSink(kept, told)
    for step in range(1, 51):
        sink.report(report(step))
    ended(sink)
    assert kept.steps == list(range(1, 51))
    assert (kept.endings, told) == ([DONE], [])


def test_steps_that_wait_are_written_together() -> None:
    kept = Kept()
    kept.gate.clear()
    sink = TrackerSink(kept, Told())
    sink.report(report(1))
    assert kept.inside.wait(20)
    for step in range(2, 43):
        sink.report(report(step))
    kept.gate.set()
    ended(sink)
    # The first alone, then 41 steps by 20 at the most.
    assert (kept.tries, kept.steps) == (4, list(range(1, 43)))


def test_what_fails_is_tried_again_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kept, told = Kept(*(OSError(f"no answer {number}") for number in range(4))), Told()
    sink = TrackerSink(kept, told, first_wait=0.001)
    sink.report(report(1))
    until(lambda: kept.steps, "the step to be written")
    sink.report(report(2))
    ended(sink)
    assert (kept.tries, kept.steps, kept.endings) == (6, [1, 2], [DONE])
    assert told == ["the tracker fails, and the job goes on: no answer 0"]
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "INFO", "INFO", "INFO"]


def test_a_run_never_waits_for_a_tracker_that_hangs() -> None:
    kept, told = Kept(), Told()
    kept.gate.clear()
    sink = TrackerSink(kept, told, most_waiting=3)
    sink.report(report(1))
    assert kept.inside.wait(20)
    for step in range(2, 8):
        sink.report(report(step))  # 2, 3 and 4 make room for 5, 6 and 7
    ended(sink, timeout=0.05)
    assert told == [
        "more than 3 steps wait for the tracker: the oldest are dropped",
        "the tracker misses 7 steps of this attempt",
    ]
    kept.gate.set()
    until(lambda: kept.steps, "the write that hung to come back")
    assert (kept.steps, kept.endings) == ([1], [])


def test_of_too_many_steps_the_newest_are_kept() -> None:
    kept, told = Kept(), Told()
    kept.gate.clear()
    sink = TrackerSink(kept, told, most_waiting=3)
    sink.report(report(1))
    assert kept.inside.wait(20)
    for step in range(2, 8):
        sink.report(report(step))
    kept.gate.set()
    ended(sink)
    assert kept.steps == [1, 5, 6, 7]
    assert told[1:] == ["the tracker misses 3 steps of this attempt"]


def test_at_the_end_what_fails_has_one_more_try() -> None:
    kept, told = Kept(*[OSError("away")] * 1000), Told()
    sink = TrackerSink(kept, told, first_wait=3600)
    sink.report(report(1))
    until(lambda: told, "the first failure")
    started = time.monotonic()
    ended(sink)
    assert time.monotonic() - started < 10
    assert (kept.tries, kept.steps, kept.endings) == (2, [], [])
    assert told[1:] == ["the tracker misses 1 step of this attempt"]


def test_what_is_refused_is_counted_and_the_next_steps_go_on() -> None:
    kept, told = Kept(Refused("no such run")), Told()
    sink = TrackerSink(kept, told)
    sink.report(report(1))
    until(lambda: told, "the refusal")
    sink.report(report(2))
    ended(sink)
    assert (kept.steps, kept.endings) == ([2], [DONE])
    assert told == [
        "the tracker refuses what it is sent: no such run",
        "the tracker misses 1 step of this attempt",
    ]


def test_a_tracker_that_cannot_work_is_told_and_left_alone() -> None:
    kept, told = Kept(start=Unusable("install the extra")), Told()
    sink = TrackerSink(kept, told)
    until(lambda: told, "the refusal to start")
    sink.report(report(1))
    sink.report(report(2))
    ended(sink)
    assert (kept.tries, kept.endings) == (0, [])
    assert told == [
        "the tracker: install the extra; the job goes on without it",
        "the tracker misses 2 steps of this attempt",
    ]


def test_an_end_that_is_not_taken_is_told() -> None:
    class NoEnd(Kept):
        def end(self, ending: Ending) -> None:
            raise OSError("away")

    kept, told = NoEnd(), Told()
    sink = TrackerSink(kept, told)
    sink.report(report(1))
    ended(sink)
    assert kept.steps == [1]
    assert told == [
        "the tracker fails, and the job goes on: away",
        "the tracker was not told all of how this attempt ended",
    ]
