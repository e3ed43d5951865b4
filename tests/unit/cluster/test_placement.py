import pytest

from rkd_online.cluster.placement import check_fits
from rkd_online.errors import TooLargeError
from rkd_online.spec.needs import Needs, bundles
from rkd_online.spec.resources import Resources


def test_each_actor_reserves_its_own_bundle() -> None:
    resources = Resources.model_validate(
        {"generator": {"count": 2, "gpus": 1}, "learner": {"cpus": 2}, "scorer": {"cpus": 0.5}}
    )
    assert bundles(resources, 1) == (
        {"CPU": 2.0},
        {"CPU": 0.5},
        {"CPU": 1.0, "GPU": 1.0},
        {"CPU": 1.0, "GPU": 1.0},
    )


def test_the_scorers_of_every_teacher_reserve_theirs() -> None:
    resources = Resources.model_validate(
        {"learner": {"cpus": 2}, "scorer": {"count": 2, "cpus": 0.5}}
    )
    assert bundles(resources, 3) == ({"CPU": 2.0}, *[{"CPU": 0.5}] * 6, {"CPU": 1.0})
    with pytest.raises(TooLargeError, match=r"needs 6 CPU .*the cluster has 5"):
        check_fits(Needs(bundles(resources, 3), one_node=False), [{"CPU": 5.0}])


def test_a_job_that_can_never_fit_is_refused_with_the_arithmetic() -> None:
    wanted = ({"CPU": 2.0}, {"CPU": 1.0}, {"CPU": 1.0, "GPU": 1.0})
    check_fits(Needs(wanted, one_node=False), [{"CPU": 3.0}, {"CPU": 1.0, "GPU": 1.0}])
    with pytest.raises(TooLargeError, match=r"needs 4 CPU \(2 \+ 1 \+ 1 .*the cluster has 3"):
        check_fits(Needs(wanted, one_node=False), [{"CPU": 3.0, "GPU": 1.0}])
    with pytest.raises(TooLargeError, match=r"needs 1 GPU .*the cluster has 0"):
        check_fits(Needs(wanted, one_node=False), [{"CPU": 4.0}])


def test_a_job_of_one_node_is_measured_against_the_largest() -> None:
    wanted = ({"CPU": 2.0}, {"CPU": 3.0}, {"CPU": 1.0})
    nodes = [{"CPU": 4.0}, {"CPU": 5.0}]
    check_fits(Needs(wanted, one_node=False), nodes)
    with pytest.raises(TooLargeError, match=r"6 CPU .* on one node, of which the largest has 5"):
        check_fits(Needs(wanted, one_node=True), nodes)
