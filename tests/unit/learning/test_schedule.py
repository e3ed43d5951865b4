import pytest

from rkd_online.learning.schedule import learning_rate
from rkd_online.spec.training import ConstantSchedule, DecaySchedule, OptimizerSpec, Schedule


def rates(schedule: Schedule, steps: int) -> list[float]:
    optimizer = OptimizerSpec(learning_rate=8.0, schedule=schedule)
    return [learning_rate(step, optimizer, steps) for step in range(1, steps + 1)]


def test_constant_without_warm_up_is_the_peak_from_the_first_step() -> None:
    assert rates(ConstantSchedule(), 3) == [8.0] * 3


def test_constant_after_a_linear_warm_up() -> None:
    assert rates(ConstantSchedule(warmup_steps=4), 6) == [2.0, 4.0, 6.0, 8.0, 8.0, 8.0]


def test_linear_falls_to_its_final_fraction_at_the_last_step() -> None:
    schedule = DecaySchedule(type="linear", warmup_steps=2, final_fraction=0.25)
    assert rates(schedule, 6) == pytest.approx([4.0, 8.0, 6.5, 5.0, 3.5, 2.0])


def test_cosine_is_half_way_down_in_the_middle() -> None:
    schedule = DecaySchedule(type="cosine", warmup_steps=2, final_fraction=0.0)
    # cos(45 degrees) is sqrt(1/2).
    high, low = 4 + 4 * 0.5**0.5, 4 - 4 * 0.5**0.5
    assert rates(schedule, 6) == pytest.approx([4.0, 8.0, high, 4.0, low, 0.0])


def test_warm_up_alone_ends_at_the_peak() -> None:
    assert rates(DecaySchedule(type="cosine", warmup_steps=4), 4) == [2.0, 4.0, 6.0, 8.0]
