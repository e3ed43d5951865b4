"""Phases of a job: values of what moves, ends, and what is refused."""

from typing import Any

import pytest

from rkd_online.errors import SpecError
from rkd_online.spec.algorithm import Grpo, Kdrl
from rkd_online.spec.load import parse_spec
from rkd_online.spec.phases import Annealing, Phase
from rkd_online.spec.plateau import PlateauEnd, plateaued
from tests.unit.spec.job import job


def phased(*phases: dict[str, Any], **changes: Any) -> dict[str, Any]:
    data = job(phases=list(phases), **({"steps": 30} | changes))
    del data["algorithm"]
    return data


def plateau(metric: str = "reward/mean", patience: int = 3) -> dict[str, Any]:
    return {"type": "plateau", "metric": metric, "patience": patience}


OPD = {"type": "opd"}
GRPO = {"type": "grpo"}


def test_a_coefficient_moves_in_a_straight_line_and_then_stays() -> None:
    moving = Annealing(to=0.5, steps=4)
    assert [moving.value(1.5, done) for done in range(6)] == [1.5, 1.25, 1.0, 0.75, 0.5, 0.5]


def test_an_algorithm_has_what_its_coefficients_are_at_that_step() -> None:
    phase = Phase(
        algorithm=Kdrl(beta=0.25, clip_high=0.5), anneal={"beta": Annealing(to=0, steps=2)}
    )
    assert [phase.algorithm_after(done) for done in (0, 1, 2, 9)] == [
        Kdrl(beta=beta, clip_high=0.5) for beta in (0.25, 0.125, 0.0, 0.0)
    ]


def test_a_single_algorithm_is_one_phase_that_lasts_as_long_as_the_job() -> None:
    assert parse_spec(job(algorithm=GRPO)).phases_in_turn == (Phase(algorithm=Grpo()),)


@pytest.mark.parametrize(
    ("metric", "values", "ended"),
    [
        ("reward/mean", (), False),
        ("reward/mean", (0.5, 0.5), False),
        ("reward/mean", (0.5, 0.5, 0.4, 0.3), True),
        ("reward/mean", (0.5, 0.5, 0.4, 0.6), False),
        ("reward/mean", (0.9, 0.1, 0.2, 0.3), True),
        ("reward/mean", (0.9, 0.1, 0.2, 0.3, 1.0), False),
        ("policy/kl_teacher", (0.9, 0.3, 0.2, 0.1), False),
        ("policy/kl_teacher", (0.1, 0.3, 0.2, 0.1), True),
    ],
)
def test_a_plateau_is_a_row_of_values_none_of_which_beats_the_best(
    metric: Any, values: tuple[float, ...], ended: bool
) -> None:
    end = PlateauEnd(type="plateau", metric=metric, patience=3)
    assert plateaued(end, values) is ended


def test_less_than_the_least_change_is_no_better() -> None:
    end = PlateauEnd(type="plateau", metric="reward/mean", patience=2, least_change=0.1)
    assert plateaued(end, (0.5, 0.55, 0.6))
    assert not plateaued(end, (0.5, 0.55, 0.65))


def test_a_plateau_that_the_last_step_but_one_can_reach_is_accepted() -> None:
    first = {"algorithm": OPD, "until": plateau(patience=28)}
    assert len(parse_spec(phased(first, {"algorithm": GRPO})).phases) == 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            {key: value for key, value in job().items() if key != "algorithm"},
            "a job takes one of algorithm and phases, found neither",
        ),
        (
            job(phases=[{"algorithm": GRPO}]),
            "a job takes one of algorithm and phases, found both",
        ),
        (
            phased({"algorithm": OPD}, {"algorithm": GRPO}),
            "phases.0.until.type 'job' leaves no step to the phases after it: set 'step' or "
            "'plateau'",
        ),
        (
            phased({"algorithm": OPD, "until": {"type": "step", "step": 10}}),
            "phases.0.until: the last phase lasts as long as the job: leave it out",
        ),
        (
            phased(
                {"algorithm": OPD, "until": {"type": "step", "step": 10}},
                {"algorithm": OPD, "until": {"type": "step", "step": 10}},
                {"algorithm": GRPO},
            ),
            "phases.1.until.step 10 cannot end the phase: it begins at step 11 and the job has 30 "
            "steps, set 11 to 29",
        ),
        (
            phased({"algorithm": OPD, "until": {"type": "step", "step": 30}}, {"algorithm": GRPO}),
            "phases.0.until.step 30 cannot end the phase: it begins at step 1 and the job has 30 "
            "steps, set 1 to 29",
        ),
        (
            phased(
                {"algorithm": OPD, "until": plateau("validation/pass_at_1")}, {"algorithm": GRPO}
            ),
            "phases.0.until.metric 'validation/pass_at_1' is never measured: set evaluation.every",
        ),
        (
            phased(
                {"algorithm": OPD, "until": plateau("validation/pass_at_1")},
                {"algorithm": GRPO},
                evaluation={"every": 10},
            ),
            "phases.0.until.patience 3 can never end the phase: 2 values of validation/pass_at_1 "
            "come before the job's last step, the first of them is the best; set 1 or less, or "
            "more steps",
        ),
        (
            phased({"algorithm": OPD, "until": plateau(patience=29)}, {"algorithm": GRPO}),
            "phases.0.until.patience 29 can never end the phase: 29 values of reward/mean come "
            "before the job's last step, the first of them is the best; set 28 or less, or more "
            "steps",
        ),
        (
            phased({"algorithm": {"type": "rlad"}, "anneal": {"alpha": {"to": 1.5, "steps": 3}}}),
            "phases.0: anneal.alpha.to 1.5 is out of range: Input should be less than or equal "
            "to 1",
        ),
        (
            phased({"algorithm": OPD, "anneal": {"beta": {"to": 0, "steps": 3}}}),
            "phases.0: anneal.beta: opd has no such coefficient (it has: clip_low, clip_high)",
        ),
        (
            phased({"algorithm": OPD, "until": {"type": "step", "step": 9}}, {"algorithm": GRPO})
            | {"teacher": None},
            "phases.0.algorithm.type 'opd' needs a teacher: add teacher.model",
        ),
        (
            phased({"algorithm": OPD}, rollout={"dynamic_sampling": {"type": "refill"}}),
            "rollout.dynamic_sampling.type 'refill' drops groups from which opd would learn; set "
            "'off', or one of the algorithms cispo, grpo, gspo, rlad, rlsd",
        ),
    ],
)
def test_phases_that_cannot_be_run_through_are_refused(data: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(data)
    assert str(caught.value) == expected
