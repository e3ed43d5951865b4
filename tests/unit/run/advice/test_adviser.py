"""When a warning is said: once, again only where it was over, and the same after a resume."""

import logging
from typing import Any

import pytest

from rkd_online.metrics.sinks import Sink
from rkd_online.run.advice.adviser import AdviceSink, Adviser, said
from rkd_online.types import StepReport
from tests.unit.run.advice.reports import HEALTHY, reports, spec, warned

CUT = "rollout/truncated_share"
TWICE = [0.5] * 20 + [0.0] * 20 + [0.5] * 20


class Events:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []

    def report(self, report: StepReport) -> None:
        raise NotImplementedError

    def event(self, type: str, data: dict[str, object]) -> None:
        self.told.append((type, data))

    def close(self) -> None: ...


def test_a_warning_is_said_once_and_again_when_it_was_over_in_between() -> None:
    """Of ten values six at 0.5 make 0.3; it is over at 0.2."""
    assert warned({CUT: TWICE}) == [(10, "truncated"), (46, "truncated")]


def test_what_gets_a_little_better_and_worse_again_is_one_warning() -> None:
    assert warned({CUT: [0.32] * 20 + [0.22] * 20 + [0.32] * 20}) == [(10, "truncated")]


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_resumed_run_says_what_the_first_would_have(cut: int) -> None:
    done = reports({CUT: TWICE})
    whole = [one.model_dump() for one in said(spec(), done)]
    first, second = Events(), Events()
    for events, earlier, later in ((first, [], done[:cut]), (second, done[:cut], done[cut:])):
        sink: Sink = AdviceSink(spec(), earlier, events)
        for report in later:
            sink.report(report)
    assert [*first.told, *second.told] == [("warning", one) for one in whole]


def test_a_warning_names_its_step_and_its_rule() -> None:
    (one,) = said(spec(), reports({CUT: [0.5] * 10}))
    assert one.model_dump() == {
        "step": 10,
        "name": "truncated",
        "message": "50% of the completions are cut at rollout.max_new_tokens, most of them before "
        "their answer: raise it, or set rollout.truncated to mask",
    }


def test_values_that_are_not_finite_and_steps_without_a_metric_say_nothing() -> None:
    broken: list[Any] = [0.5, float("nan"), float("inf")] * 10
    assert warned({CUT: broken}) == [(28, "truncated")]
    bare = StepReport(21, 21, 0, {}, {"phase/index": 0.0})
    assert said(spec(), [*reports({CUT: [0.0] * 20}), bare]) == []


def test_an_error_in_a_rule_is_logged_and_the_job_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    adviser = Adviser(spec())
    broken = StepReport(1, 1, 0, {}, HEALTHY | {"phase/index": 7.0})
    with caplog.at_level(logging.ERROR):
        assert adviser.hear(broken) == []
    assert "step 1 gets no advice; the job goes on" in caplog.text
    later = [one for report in reports({CUT: [0.5] * 20}) for one in adviser.hear(report)]
    assert [(one.step, one.name) for one in later] == [(9, "truncated")]
