"""Each rule: the step at which it warns, what it says, and what it stays silent about."""

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import pytest

from rkd_online.run.advice.rules import RULES, rules_of
from rkd_online.spec import JobSpec
from tests.unit.run.advice.reports import message, spec, warned
from tests.unit.spec.test_offline import offline

KL, ENTROPY, LENGTH = "policy/kl_teacher", "policy/entropy", "rollout/completion_length"
REWARD, CORRECT = "reward/mean", "reward/correct_share"
NO_SIGNAL, AGREEMENT = "reward/no_signal_share", "teacher/agreement"


def line(start: float, end: float, steps: int) -> list[float]:
    return [start + (end - start) * step / (steps - 1) for step in range(steps)]


def around(mean: float, by: float, steps: int) -> list[float]:
    return list(islice(cycle([mean - by, mean + by]), steps))


def test_a_healthy_run_has_no_warning() -> None:
    assert warned({REWARD: line(0.3, 0.8, 200)}) == []


@pytest.mark.parametrize(
    ("metric", "values", "step", "name"),
    [
        # Shares by the mean of their window: that of 20 is 0.45 with the tenth 0.4.
        (AGREEMENT, [0.5] * 20 + [0.4] * 20, 30, "teacher_disagrees"),
        # Others by the median: with five of ten it lies in the middle between both.
        (KL, [1.2] * 20 + [6.1] * 10, 25, "kl_teacher"),
        ("policy/kl_old_k3", [0.0] * 10 + [0.25] * 10, 15, "kl_old"),
        ("policy/kl_reference", [0.0] * 10 + [1.6] * 10, 16, "kl_reference"),
        (NO_SIGNAL, [0.95] * 30, 20, "no_signal"),
        ("policy/clamp_high_share", [0.05] * 10 + [0.55] * 10, 19, "clamp_binds"),
        (ENTROPY, [0.2] * 10 + [0.015] * 20, 20, "entropy_collapse"),
        (LENGTH, [20.0] * 20 + [60.0] * 20, 25, "length_runs_away"),
        ("rollout/truncated_share", [0.0] * 10 + [0.5] * 10, 16, "truncated"),
    ],
)
def test_a_rule_warns_when_its_window_is_beyond_its_bound(
    metric: str, values: list[float], step: int, name: str
) -> None:
    assert warned({metric: values}) == [(step, name)]


def test_both_sides_of_the_clamp_count() -> None:
    sides = {"policy/clamp_low_share": [0.3] * 10, "policy/clamp_high_share": [0.25] * 10}
    assert warned(sides) == [(10, "clamp_binds")]


def test_a_reward_is_flat_when_fifty_steps_are_no_better_than_the_fifty_before() -> None:
    assert warned({REWARD: around(0.5, 0.05, 120)}) == [(100, "reward_flat")]
    assert message({REWARD: around(0.5, 0.05, 100)}).startswith(
        "the mean reward of the last 50 steps is 0.500, that of the 50 before was 0.500: nothing "
        "shows that the policy still learns; change optimizer.learning_rate"
    )
    assert warned({REWARD: line(0.6, 0.5, 100)}) == [(100, "reward_flat")]


def test_a_reward_that_rises_slowly_and_one_too_noisy_to_tell_are_not_flat() -> None:
    """0.05 in 50 steps is a tenth of the spread; a noise of 0.4 has an error of 0.08."""
    rising = [a + b for a, b in zip(line(0.4, 0.5, 100), around(0.0, 0.05, 100), strict=True)]
    assert warned({REWARD: rising}) == []
    assert warned({REWARD: around(0.5, 0.4, 120)}) == []


@pytest.mark.parametrize(
    "series",
    [
        {REWARD: [0.95] * 120, CORRECT: [0.95] * 120},
        {NO_SIGNAL: [0.95] * 30, CORRECT: [0.95] * 30},
        {ENTROPY: [0.2] * 10 + [0.01] * 20, CORRECT: [0.95] * 30},
        {LENGTH: [20.0] * 20 + [60.0] * 20, CORRECT: [0.5] * 20 + [0.7] * 20},
        # Three times as far as at the start, and still near.
        {KL: [0.1] * 10 + [0.4] * 20},
        # 0.4 on average, with an error of 0.07: it may be chance.
        {AGREEMENT: around(0.4, 0.3, 40)},
    ],
)
def test_what_may_be_well_is_not_warned_of(series: dict[str, Sequence[float]]) -> None:
    assert warned(series) == []


def test_one_wild_step_is_no_warning() -> None:
    wild = {KL: [0.3] * 20 + [9.0] + [0.3] * 20, ENTROPY: [0.2] * 20 + [0.0] + [0.2] * 20}
    assert warned(wild | {LENGTH: [20.0] * 20 + [150.0] + [20.0] * 20}) == []


def test_a_message_has_the_value_and_the_field_to_change() -> None:
    collapsed = {ENTROPY: [0.2] * 10 + [0.015] * 20, CORRECT: [0.25] * 30}
    assert message(collapsed) == (
        "the policy's entropy is 0.0150 nats per token, 0.2000 in the first 10 steps, with 25% of "
        "the answers correct: siblings are nearly the same answer; raise algorithm.clip_high, "
        "lower optimizer.learning_rate, or set algorithm.reference_kl"
    )
    phases: list[dict[str, Any]] = [
        {"algorithm": {"type": "opd"}, "until": {"type": "step", "step": 9}},
        {"algorithm": {"type": "rlad"}},
    ]
    turns = {"phase/index": [0.0] * 9 + [1.0] * 11}
    clamped = turns | {"policy/clamp_high_share": [0.55] * 10}
    assert message(clamped, spec(algorithm=None, phases=phases)) == (
        "55% of the tokens are beyond the clamp of the teacher's log-ratio, where the teacher says "
        "nothing: raise phases.1.algorithm.teacher_log_ratio_clamp, or begin with a phase of opd"
    )


@pytest.mark.parametrize(("name", "warns"), [("grpo", True), ("opd", False), ("kdrl", False)])
def test_groups_without_signal_matter_where_the_reward_is_all_there_is(
    name: str, warns: bool
) -> None:
    found = warned({NO_SIGNAL: [0.95] * 30}, spec(algorithm={"type": name}))
    assert found == ([(20, "no_signal")] if warns else [])


def test_where_the_problems_of_the_steps_differ_rewards_and_lengths_are_not_compared() -> None:
    flat = {REWARD: [0.5] * 120, LENGTH: [20.0] * 20 + [60.0] * 100}
    assert [name for _, name in warned(flat)] == ["length_runs_away", "reward_flat"]
    assert warned(flat, spec(rollout__dynamic_sampling={"type": "refill"})) == []
    stages = [{"levels": [0, 1], "share": 1}, {"levels": [1, 2], "share": 1}]
    task = {"type": "reasoning_gym", "dataset": "knights_knaves", "curriculum": stages}
    assert warned(flat, spec(task=task)) == []


def test_a_store_says_nothing_of_the_policy() -> None:
    assert rules_of(JobSpec.model_validate(offline())) == ()
    assert rules_of(spec()) == RULES


def test_with_several_teachers_each_part_has_its_own_agreement() -> None:
    parts = [
        {"name": "sums", "task": {"type": "chain_sum"}},
        {
            "name": "long", "task": {"type": "chain_sum"},
            "teacher": {"model": "zoo:chain-sum/student"},
        },
    ]  # fmt: skip
    mixed = spec(task={"type": "mixture", "parts": parts})
    series = {f"{AGREEMENT}/sums": [0.9] * 20, f"{AGREEMENT}/long": [0.2] * 20}
    assert warned(series, mixed) == [(20, "teacher_disagrees/long")]
    assert message(series, mixed).startswith("long: of a correct and an incorrect answer")


def test_names_are_of_one_rule_and_no_bound_is_both_ends() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        begins, over = rule.bounds
        assert rule.bad(begins) and not rule.over(begins)
        assert rule.over(over) and not rule.bad(over)
