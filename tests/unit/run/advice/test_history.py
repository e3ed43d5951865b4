"""How far back a rule looks."""

import math

from rkd_online.run.advice.history import KEPT, History, Seen
from rkd_online.spec.algorithm import Grpo


def seen(values: list[float], window: int) -> Seen:
    history = History()
    for value in values:
        history.add({"x": value, "reward/correct_share": value / 10})
    return Seen(history, "x", window, Grpo())


def test_the_newest_values_are_set_against_those_before_and_the_first_ten() -> None:
    found = seen([*map(float, range(1, 31))], window=5)
    assert found.values == [26.0, 27.0, 28.0, 29.0, 30.0]
    assert (found.mean, found.mean_before, found.start) == (28.0, 23.0, 5.5)
    assert found.correct == 2.8
    assert found.history.has("x", 30) and not found.history.has("x", 31)


def test_one_wild_value_moves_the_mean_and_not_the_median() -> None:
    found = seen([1.0] * 9 + [91.0], window=10)
    assert (found.now, found.start, found.mean) == (1.0, 1.0, 10.0)


def test_no_more_values_are_kept_than_any_rule_looks_at() -> None:
    found = seen([1.0] * 5 * KEPT, window=KEPT)
    assert len(found.history.last("x", 2 * KEPT)) == KEPT


def test_a_metric_that_never_came_is_no_number() -> None:
    history = History()
    absent = Seen(history, "y", 5, Grpo())
    assert all(map(math.isnan, (absent.now, absent.mean, absent.mean_before, absent.start)))
    assert not history.has("y", 1)
