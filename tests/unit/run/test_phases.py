"""Which algorithm a step learns by."""

from typing import Any

from rkd_online.run.phases import Phases, PhaseSwitch
from rkd_online.spec.algorithm import Algorithm, Grpo, Kdrl, Opd, Rlad
from rkd_online.spec.changes import Changes, changed_spec
from rkd_online.spec.job import JobSpec
from rkd_online.types import FIRST_PHASE, PhasePlace, Turn
from tests.unit.spec.job import job

PLATEAU = {"type": "plateau", "metric": "reward/mean", "patience": 2}


def phased(*phases: dict[str, Any], **rollout: Any) -> JobSpec:
    data = job(phases=list(phases), steps=20, rollout=rollout)
    del data["algorithm"]
    return JobSpec.model_validate(data)


OPD_GRPO = phased(
    {"algorithm": {"type": "opd"}, "until": {"type": "step", "step": 2}},
    {"algorithm": {"type": "grpo"}},
)
PLATEAU_GRPO = phased(
    {"algorithm": {"type": "opd"}, "until": PLATEAU}, {"algorithm": {"type": "grpo"}}
)


def run(phases: Phases, first: int, rewards: list[float]) -> list[tuple[Algorithm, Turn]]:
    """What each step learns by, when the steps report these rewards."""
    found = []
    for step, reward in enumerate(rewards, start=first):
        plan = phases.plan(step)
        found.append((plan.algorithm, plan.turn))
        phases.done(step, {"reward/mean": reward})
    return found


def test_a_phase_ends_after_its_step() -> None:
    assert run(Phases(OPD_GRPO, FIRST_PHASE), 1, [0.0] * 4) == [
        (Opd(), Turn(0, 0)),
        (Opd(), Turn(0, 1)),
        (Grpo(), Turn(1, 0)),
        (Grpo(), Turn(1, 1)),
    ]


def test_the_switch_says_when_what_and_why() -> None:
    phases = Phases(OPD_GRPO, FIRST_PHASE)
    assert phases.done(1, {}) is None
    assert phases.done(2, {}) == PhaseSwitch(3, 1, "opd", "grpo", "step 2 was its last")


def test_a_plateau_ends_a_phase_and_a_resumed_run_takes_the_same_turns() -> None:
    rewards = [0.1, 0.3, 0.2, 0.3, 0.4]
    whole = run(Phases(PLATEAU_GRPO, FIRST_PHASE), 1, rewards)
    assert [algorithm.type for algorithm, _ in whole] == ["opd"] * 4 + ["grpo"]
    for cut in range(1, 5):
        first = Phases(PLATEAU_GRPO, FIRST_PHASE)
        run(first, 1, rewards[:cut])
        assert run(Phases(PLATEAU_GRPO, first.place), cut + 1, rewards[cut:]) == whole[cut:]


def test_the_best_of_one_phase_is_not_that_of_the_next() -> None:
    spec = phased(
        {"algorithm": {"type": "opd"}, "until": PLATEAU},
        {"algorithm": {"type": "rlad"}, "until": PLATEAU},
        {"algorithm": {"type": "grpo"}},
    )
    found = run(Phases(spec, FIRST_PHASE), 1, [0.9, 0.1, 0.1, 0.2, 0.3, 0.2, 0.2, 0.0])
    assert [one.type for one, _ in found] == ["opd"] * 3 + ["rlad"] * 4 + ["grpo"]


def test_a_phase_whose_step_has_passed_is_passed_over() -> None:
    spec = phased(
        {"algorithm": {"type": "opd"}, "until": PLATEAU},
        {"algorithm": {"type": "rlad"}, "until": {"type": "step", "step": 3}},
        {"algorithm": {"type": "grpo"}},
    )
    found = run(Phases(spec, FIRST_PHASE), 1, [0.9, 0.1, 0.1, 0.0])
    assert found[-1] == (Grpo(), Turn(2, 0))


def test_a_moving_coefficient_starts_with_its_phase() -> None:
    spec = phased(
        {"algorithm": {"type": "opd"}, "until": {"type": "step", "step": 2}},
        {
            "algorithm": {"type": "kdrl", "beta": 1.0},
            "anneal": {"beta": {"to": 0.0, "steps": 2}},
        },
    )
    phases = Phases(spec, FIRST_PHASE)
    found = run(phases, 1, [0.0] * 5)
    assert [one for one, _ in found[2:]] == [Kdrl(beta=1.0), Kdrl(beta=0.5), Kdrl(beta=0.0)]
    assert phases.plan(4).metrics() == {"phase/index": 1.0, "phase/beta": 0.5}


def test_the_teacher_is_wanted_until_no_phase_to_come_needs_it() -> None:
    phases = Phases(OPD_GRPO, FIRST_PHASE)
    assert [phases.needs_teacher(step) for step in (1, 2, 3, 4)] == [True, True, False, False]
    resumed = Phases(OPD_GRPO, PhasePlace(1, 3, ()))
    assert [resumed.needs_teacher(step) for step in (3, 4)] == [False, False]
    again = phased(
        {"algorithm": {"type": "grpo"}, "until": {"type": "step", "step": 2}},
        {"algorithm": {"type": "rlad"}},
    )
    assert all(Phases(again, FIRST_PHASE).needs_teacher(step) for step in (1, 2, 3, 9))


def test_the_end_of_a_plateau_is_known_too_late_for_the_step_behind_it() -> None:
    """Its groups were asked for before; so those of a resumed run are scored as well."""
    plateau = {"type": "plateau", "metric": "reward/mean", "patience": 1}
    spec = phased({"algorithm": {"type": "opd"}, "until": plateau}, {"algorithm": {"type": "grpo"}})
    phases = Phases(spec, FIRST_PHASE)
    phases.done(1, {"reward/mean": 0.5})
    assert phases.needs_teacher(3)
    phases.done(2, {"reward/mean": 0.5})
    assert phases.place == PhasePlace(1, 3, ())
    assert [phases.needs_teacher(step) for step in (3, 4)] == [True, False]


def test_a_divergence_wants_the_teacher_and_every_group() -> None:
    drawn = {"type": "grpo", "teacher_divergence": {"type": "jsd", "weight": 1.0}}
    spec = phased(
        {"algorithm": {"type": "grpo"}, "until": {"type": "step", "step": 2}},
        {"algorithm": drawn, "until": {"type": "step", "step": 3}},
        {"algorithm": {"type": "grpo"}},
        prompts_per_step=8,
        dynamic_sampling={"type": "refill", "most": 1.5},
    )
    places = [PhasePlace(index, first, ()) for index, first in enumerate((1, 3, 4))]
    wanted = [Phases(spec, place).needs_teacher(place.first_step) for place in places]
    assert wanted == [True, True, False]
    dropped = [Phases(spec, place).plan(place.first_step).flat_groups for place in places]
    assert dropped == [12, 0, 12]


def test_groups_without_signal_are_dropped_where_the_algorithm_learns_nothing_from_them() -> None:
    spec = phased(
        {"algorithm": {"type": "opd"}, "until": {"type": "step", "step": 2}},
        {"algorithm": {"type": "rlad"}},
        prompts_per_step=8,
        dynamic_sampling={"type": "refill", "most": 1.5},
    )
    phases = Phases(spec, FIRST_PHASE)
    assert phases.plan(1).flat_groups == 0
    run(phases, 1, [0.0] * 2)
    assert (phases.plan(3).algorithm, phases.plan(3).flat_groups) == (Rlad(), 12)


def test_a_changed_job_goes_on_in_its_phase_by_the_changed_algorithm() -> None:
    phases = Phases(OPD_GRPO, FIRST_PHASE)
    run(phases, 1, [0.0])
    phases.change(changed_spec(OPD_GRPO, Changes(clip_low=0.125)))
    phases.show(["clip_low"])
    plans = []
    for step in (2, 3):
        plans.append(phases.plan(step))
        phases.done(step, {})
    assert [(one.algorithm, one.turn) for one in plans] == [
        (Opd(clip_low=0.125), Turn(0, 1)),
        (Grpo(clip_low=0.125), Turn(1, 0)),
    ]
    assert plans[1].metrics() == {"phase/index": 1.0, "phase/clip_low": 0.125}


def test_a_changed_coefficient_is_reported_where_the_algorithm_has_it() -> None:
    spec = phased(
        {"algorithm": {"type": "opd"}, "until": {"type": "step", "step": 1}},
        {"algorithm": {"type": "rlad", "alpha": 0.25}},
    )
    phases = Phases(spec, FIRST_PHASE)
    phases.show(["alpha"])
    assert phases.plan(1).metrics() == {"phase/index": 0.0}
    phases.done(1, {})
    assert phases.plan(2).metrics() == {"phase/index": 1.0, "phase/alpha": 0.25}
