"""Every part has its share of any number of things, to less than one."""

from collections import Counter
from fractions import Fraction

import pytest

from rkd_online.spec.deal import Deal


def dealt(weights: list[float], total: int) -> list[int]:
    deal = Deal(weights)
    return [deal.at(place)[0] for place in range(total)]


def test_one_part_gets_everything() -> None:
    assert [Deal([0.3]).at(place) for place in range(3)] == [(0, 0), (0, 1), (0, 2)]


def test_equal_parts_take_turns() -> None:
    assert dealt([1, 1, 1], 7) == [0, 1, 2, 0, 1, 2, 0]


def test_twice_the_weight_is_twice_as_often() -> None:
    # Windows of part 0: places 0-1, 1-2; of part 1: 0-2.
    assert dealt([2, 1], 6) == [0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize(
    "weights",
    [
        [1, 1],
        [2, 1],
        [0.1, 0.2, 0.7],
        [0.5, 0.3, 0.1, 0.1],
        [1000, 1, 1, 1],
        [7, 5, 3, 2, 1, 1, 1],
        [0.62, 0.19, 0.19],
        [1, 1, 1, 1, 1, 1, 94],
        [3.14159, 2.71828, 1.41421, 1.61803],
        # Taking the part that lacks most leaves one of these 1.1 behind after 59.
        [10, 50, 50, 50, 1, 2],
    ],
)
def test_after_any_number_each_count_is_within_one_of_its_share(weights: list[float]) -> None:
    exact = [Fraction(str(weight)) for weight in weights]
    deal, counts = Deal(weights), [0] * len(weights)
    for place in range(2500):
        part, before = deal.at(place)
        assert before == counts[part]
        counts[part] += 1
        for count, weight in zip(counts, exact, strict=True):
            assert abs(count - (place + 1) * weight / sum(exact)) < 1
    assert deal.counts(2500) == counts


def test_decimal_weights_are_exact_after_a_round() -> None:
    assert Counter(dealt([0.1, 0.2, 0.7], 1000)) == {0: 100, 1: 200, 2: 700}


def test_a_place_far_away_is_found_without_those_before_it() -> None:
    deal = Deal([0.1, 0.2, 0.7])
    part, before = deal.at(10**15 + 3)
    assert (part, before) == (deal.at(3)[0], 10**14 * [1, 2, 7][part] + deal.at(3)[1])
    assert deal.counts(10**15) == [10**14, 2 * 10**14, 7 * 10**14]


@pytest.mark.parametrize("start", [0, 1, 9, 10, 137])
def test_from_any_place_it_goes_on_as_if_never_cut(start: int) -> None:
    whole, fresh = Deal([5, 3, 1]), Deal([5, 3, 1])
    expected = [whole.at(place) for place in range(200)]
    assert [fresh.at(place) for place in range(start, 200)] == expected[start:]
