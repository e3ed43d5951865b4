import math

import pytest

from rkd_online.errors import WeightSyncError
from rkd_online.types import logprobs
from rkd_online.weights.probe import check_probe, probe_ids


def test_probe_ids_spread_over_the_whole_vocabulary() -> None:
    ids = probe_ids(1000, 256)
    assert len(ids) == 48
    assert min(ids) < 100 and max(ids) >= 900
    assert all(0 <= token < 1000 for token in ids)


def test_the_probe_fits_a_short_context() -> None:
    assert len(probe_ids(1000, 16)) == 15


def test_probe_ids_never_change() -> None:
    # x1 = (1103515245 + 12345) mod 2^31 = 1103527590, and 1103527590 * 1000 // 2^31 = 513.
    assert probe_ids(1000, 256)[0] == 513


def test_the_largest_difference_over_all_generators_is_reported() -> None:
    learner = logprobs([-1.0, -2.0])
    near, same = logprobs([-1.0, -2.00005]), logprobs([-1.0, -2.0])
    assert check_probe(1, learner, [same, near]) == pytest.approx(5e-5, rel=1e-2)


@pytest.mark.parametrize("wrong", [-2.001, math.nan])
def test_a_generator_that_differs_is_named(wrong: float) -> None:
    learner = logprobs([-1.0, -2.0])
    with pytest.raises(WeightSyncError, match=r"weight version 3 is not accepted.*generator 1"):
        check_probe(3, learner, [learner, logprobs([-1.0, wrong])])
