"""What roles cost, from spans and processor times whose numbers are known."""

from types import SimpleNamespace

import pytest

from rkd_online.metrics.busy import BusySpan, WorkLog, this_process
from rkd_online.run.cost import CoreSeconds, busy_seconds


@pytest.fixture(autouse=True)
def _own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has used 1 s when the counting begins, then 1.5 s, then 3.5 s."""
    processor = iter([1.0, 1.5, 3.5])
    times = SimpleNamespace(process_time=lambda: next(processor))
    monkeypatch.setattr("rkd_online.run.cost.time", times)


def log(process: str, cpu_seconds: float) -> WorkLog:
    return WorkLog((), process, cpu_seconds)


def test_work_at_the_same_time_counts_once_for_a_worker_and_twice_for_two() -> None:
    twice = [BusySpan("generator", "generate", start, start + 3) for start in (101.0, 102.0)]
    work = {
        "generator:0": twice,
        "generator:1": twice,
        "scorer:easy:0": [BusySpan("scorer", "score", 90.0, 102.0)],
        "scorer:hard+odd:0": [BusySpan("scorer", "score", 109.0, 120.0)],
        "learner:0": [],
    }
    assert busy_seconds(work, 100.0, 110.0) == {
        "cost/generator_busy_seconds": 8.0,
        "cost/scorer_busy_seconds": 3.0,
        "cost/learner_busy_seconds": 0.0,
    }


def test_each_role_has_the_time_of_its_processes_since_it_was_asked_last() -> None:
    cores = CoreSeconds()
    cores.spent({"generator:0": log("a", 4.0), "generator:1": log("b", 5.0)})
    logs = {
        "generator:0": log("a", 6.0),
        "generator:1": log("b", 5.25),
        "scorer:easy:0": log("c", 0.5),
        "scorer:hard:0": log("d", 0.25),
        "learner:0": log("e", 8.0),
    }
    assert cores.spent(logs) == {
        "cost/generator_core_seconds": 2.25,
        "cost/scorer_core_seconds": 0.75,
        "cost/learner_core_seconds": 8.0,
        "cost/loop_core_seconds": 2.0,
        "loop/core_seconds": 13.0,
    }


def test_a_role_that_shares_a_process_has_no_time_of_its_own() -> None:
    logs = {
        "generator:0": log("a", 4.0),
        "generator:1": log("b", 1.0),
        "scorer:0": log("a", 4.0),
        "learner:0": log("c", 2.0),
    }
    assert CoreSeconds().spent(logs) == {
        "cost/learner_core_seconds": 2.0,
        "cost/loop_core_seconds": 0.5,
        "loop/core_seconds": 7.5,
    }


def test_where_all_is_one_process_nobody_has_a_time_of_its_own() -> None:
    roles = ("generator:0", "scorer:0", "learner:0")
    logs = {role: log(this_process(), 1.5) for role in roles}
    assert CoreSeconds().spent(logs) == {"loop/core_seconds": 0.5}
