"""What ends a job before its steps, and the ends that could never come."""

from typing import Any

import pytest

from rkd_online.errors import SpecError
from rkd_online.spec.early_stop import NeverStop, ReachedStop, reached
from rkd_online.spec.load import parse_spec
from rkd_online.spec.phases import taught_steps
from rkd_online.spec.plan import describe_plan
from rkd_online.spec.plateau import PlateauEnd
from tests.unit.spec.job import job
from tests.unit.spec.test_offline import offline

REWARD, SHARE = "reward/mean", "reward/correct_share"
VALIDATION, KL = "validation/pass_at_1", "policy/kl_teacher"
OPD, GRPO = {"algorithm": {"type": "opd"}}, {"algorithm": {"type": "grpo"}}


def plateau(metric: str = REWARD, patience: int = 3, least_change: float = 0.0) -> dict[str, Any]:
    return {
        "type": "plateau", "metric": metric, "patience": patience, "least_change": least_change,
    }  # fmt: skip


def goal(metric: str, value: float) -> dict[str, Any]:
    return {"type": "reached", "metric": metric, "value": value}


def stopping(stop: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return job(early_stop=stop, **({"steps": 30} | changes))


def phased(stop: dict[str, Any], *phases: dict[str, Any]) -> dict[str, Any]:
    data = stopping(stop, phases=list(phases))
    del data["algorithm"]
    return data


def test_a_job_does_all_its_steps_unless_it_says_otherwise() -> None:
    assert parse_spec(job()).early_stop == NeverStop()


@pytest.mark.parametrize(
    ("metric", "value", "found"),
    [(REWARD, 0.5, True), (REWARD, 0.49, False), (KL, 0.5, True), (KL, 0.51, False)],
)
def test_a_goal_is_at_least_the_value_and_at_most_for_a_distance(
    metric: Any, value: float, found: bool
) -> None:
    assert reached(ReachedStop(type="reached", metric=metric, value=0.5), value) is found


def test_the_last_step_but_one_is_early_enough() -> None:
    """29 values come before step 30: the best and 28 that are not better."""
    assert isinstance(parse_spec(stopping(plateau(patience=28))).early_stop, PlateauEnd)
    parse_spec(stopping(goal(VALIDATION, 1.0), evaluation={"every": 29}))
    parse_spec(offline(steps=30, early_stop=goal(VALIDATION, 0.9)))


def test_a_teacher_scores_until_the_last_phase_that_asks_for_it_has_ended() -> None:
    def steps(*phases: dict[str, Any]) -> int:
        return taught_steps(parse_spec(phased({"type": "never"}, *phases)).phases, 30)

    ends = {"until": {"type": "step", "step": 10}}
    waits = {"until": {"type": "plateau", "metric": REWARD, "patience": 3}}
    assert steps(OPD | ends, GRPO) == 10
    assert steps(OPD | waits, GRPO) == 30
    assert steps(GRPO | ends, OPD) == 30
    assert steps(GRPO) == 0


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            stopping(plateau(patience=29)),
            ".patience 29 can never end the job: 29 values of reward/mean come before the job's "
            "last step, the first of them is the best; set 28 or less, or more steps",
        ),
        (
            stopping(plateau(VALIDATION, 2), evaluation={"every": 10}),
            ".patience 2 can never end the job: 2 values of validation/pass_at_1 come before the "
            "job's last step, the first of them is the best; set 1 or less, or more steps",
        ),
        (
            stopping(plateau(VALIDATION, 1), evaluation={"every": 15}),
            ".patience 1 can never end the job: 1 values of validation/pass_at_1 come before the "
            "job's last step, the first of them is the best; set more steps",
        ),
        (
            stopping(plateau(VALIDATION)),
            ".metric 'validation/pass_at_1' is never measured: set evaluation.every",
        ),
        (
            stopping(goal(VALIDATION, 0.9), evaluation={"every": 30}),
            ".metric 'validation/pass_at_1' has no value before the job's last step, 30: set more "
            "steps, or evaluation.every (found 30) lower",
        ),
        (
            stopping(goal(REWARD, 0.9), steps=1),
            ".metric 'reward/mean' has no value before the job's last step, 1: set more steps",
        ),
        (
            stopping(goal(KL, 0.1), teacher=None, algorithm={"type": "grpo"}),
            ".metric 'policy/kl_teacher' needs a teacher: add teacher.model",
        ),
        (
            stopping(goal(KL, 0.1), algorithm={"type": "grpo"}),
            ".metric 'policy/kl_teacher' is never measured: no algorithm asks the teacher",
        ),
        (
            phased(plateau(KL, 5), OPD | {"until": {"type": "step", "step": 5}}, GRPO),
            ".patience 5 can never end the job: 5 values of policy/kl_teacher come before the "
            "job's last step, the first of them is the best; set 4 or less, or more steps",
        ),
        (
            stopping(goal(SHARE, 1.5)),
            ".value 1.5 is no share of answers: set above 0, at most 1",
        ),
        (
            stopping(goal(VALIDATION, 0.0), evaluation={"every": 10}),
            ".value 0 is no share of answers: set above 0, at most 1",
        ),
        (
            stopping(goal(KL, -0.1)),
            ".value -0.1 is no distance from the teacher: set above 0 nats",
        ),
        (
            phased(plateau(patience=3), OPD | {"until": plateau(patience=3)}, GRPO),
            ".patience 3 ends the job no later than phases.0.until.patience 3 ends the first phase "
            "by the same values, so that no other phase begins: set more than 3",
        ),
        (
            offline(steps=30, early_stop=goal(REWARD, 0.9)),
            ".metric 'reward/mean' would be that of the store's samples, which says nothing of the "
            "policy: set 'validation/pass_at_1', and evaluation.every",
        ),
    ],
)
def test_an_end_that_can_never_come_is_refused_with_the_arithmetic(
    data: dict[str, Any], expected: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(data)
    assert str(caught.value) == f"early_stop{expected}"


@pytest.mark.parametrize("stop", [plateau(patience=4), plateau(least_change=0.1), plateau(SHARE)])
def test_a_plateau_of_a_phase_and_another_of_the_job_go_together(stop: dict[str, Any]) -> None:
    parse_spec(phased(stop, OPD | {"until": plateau(patience=3)}, GRPO))


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (plateau(), "early stop   when reward/mean gets no better in 3 values"),
        (goal(SHARE, 0.9), "early stop   when reward/correct_share is at least 0.9"),
        (goal(KL, 0.05), "early stop   when policy/kl_teacher is at most 0.05"),
    ],
)
def test_the_plan_says_what_ends_the_job(stop: dict[str, Any], words: str) -> None:
    assert words in describe_plan(parse_spec(stopping(stop)))
    assert "early stop" not in describe_plan(parse_spec(job()))
