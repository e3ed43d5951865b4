"""The step after which a job ends."""

from collections.abc import Sequence
from typing import Any

import pytest

from rkd_online.run.stopping import Stop, Stopping
from rkd_online.spec.job import JobSpec
from rkd_online.types import StepReport
from tests.unit.spec.job import job

REWARD, VALIDATION, KL = "reward/mean", "validation/pass_at_1", "policy/kl_teacher"
PLATEAU = {"type": "plateau", "metric": REWARD, "patience": 2}


def spec(stop: dict[str, Any], steps: int = 8) -> JobSpec:
    return JobSpec.model_validate(job(early_stop=stop, steps=steps, evaluation={"every": 2}))


def reports(metric: str, values: Sequence[float | None]) -> list[StepReport]:
    """One a step; None where the step does not measure it."""
    return [
        StepReport(step, step, 0, {}, {} if value is None else {metric: value})
        for step, value in enumerate(values, start=1)
    ]


def stopped(stop: dict[str, Any], metric: str, values: Sequence[float | None]) -> Stop | None:
    return Stopping(spec(stop), reports(metric, values)).stop


def test_without_an_early_stop_a_job_does_all_its_steps() -> None:
    stopping = Stopping(spec({"type": "never"}), reports(REWARD, [0.5] * 5))
    assert stopping.stop is None
    assert list(stopping.steps(5)) == [6, 7, 8]


def test_a_plateau_ends_a_job_with_the_last_of_its_values() -> None:
    assert stopped(PLATEAU, REWARD, [0.1, 0.3, 0.2, 0.3]) == Stop(
        4, "reward/mean got no better in 2 values"
    )
    assert stopped(PLATEAU, REWARD, [0.1, 0.3, 0.2, 0.4]) is None


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        (REWARD, [0.5, 0.89, 0.9], Stop(3, "reward/mean is 0.900, at least 0.9")),
        (KL, [2.0, 0.9], Stop(2, "policy/kl_teacher is 0.900, at most 0.9")),
        (VALIDATION, [None, 0.8, None, 0.95], Stop(4, VALIDATION + " is 0.950, at least 0.9")),
        (REWARD, [0.5, 0.6, float("nan")], None),
    ],
)
def test_a_goal_ends_a_job_at_the_first_step_that_reaches_it(
    metric: str, values: list[float | None], expected: Stop | None
) -> None:
    assert stopped({"type": "reached", "metric": metric, "value": 0.9}, metric, values) == expected


def test_the_last_step_is_no_early_stop() -> None:
    stop = {"type": "reached", "metric": REWARD, "value": 0.9}
    assert stopped(stop, REWARD, [0.5] * 7 + [0.95]) is None
    assert stopped(stop, REWARD, [0.5] * 6 + [0.95, 0.5]) == Stop(
        7, "reward/mean is 0.950, at least 0.9"
    )


def test_a_resumed_job_ends_where_the_first_would_have_and_has_no_step_after_that() -> None:
    done = reports(REWARD, [0.1, 0.3, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4])
    for cut in range(4):
        stopping = Stopping(spec(PLATEAU), done[:cut])
        steps = [step for step in stopping.steps(cut) if stopping.done(done[step - 1]) or step]
        assert steps == list(range(cut + 1, 5))
        assert stopping.stop == Stop(4, "reward/mean got no better in 2 values")
    after = Stopping(spec(PLATEAU), done[:4])
    assert (after.last, list(after.steps(4))) == (4, [])


def test_a_changed_job_ends_after_its_new_steps_but_not_before_the_ones_that_are_done() -> None:
    stopping = Stopping(spec({"type": "never"}), reports(REWARD, [0.5] * 4))
    stopping.change(spec({"type": "never"}, steps=12), 4)
    assert stopping.last == 12
    stopping.change(spec({"type": "never"}, steps=3), 5)
    assert (stopping.last, list(stopping.steps(5))) == (5, [])


def test_a_job_that_did_more_steps_than_it_was_then_given_ended_with_the_last_of_them() -> None:
    stopping = Stopping(spec({"type": "never"}, steps=3), reports(REWARD, [0.5] * 5))
    assert stopping.last == 5
