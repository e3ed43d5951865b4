import pytest

from rkd_online.cluster.placement import check_fits
from rkd_online.errors import TooLargeError
from rkd_online.spec.needs import Needs, bundles
from rkd_online.spec.placed import LabelledNode, PlacedNeeds, needs_on
from rkd_online.spec.resources import Resources

LABEL = "rkd.io/role"


def nodes(*resources: dict[str, float]) -> list[LabelledNode]:
    return [LabelledNode(one, {}) for one in resources]


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
        check_fits(Needs(bundles(resources, 3), one_node=False), nodes({"CPU": 5.0}))


def test_a_job_that_can_never_fit_is_refused_with_the_arithmetic() -> None:
    wanted = ({"CPU": 2.0}, {"CPU": 1.0}, {"CPU": 1.0, "GPU": 1.0})
    check_fits(Needs(wanted, one_node=False), nodes({"CPU": 3.0}, {"CPU": 1.0, "GPU": 1.0}))
    with pytest.raises(TooLargeError, match=r"needs 4 CPU \(2 \+ 1 \+ 1 .*the cluster has 3"):
        check_fits(Needs(wanted, one_node=False), nodes({"CPU": 3.0, "GPU": 1.0}))
    with pytest.raises(TooLargeError, match=r"needs 1 GPU .*the cluster has 0"):
        check_fits(Needs(wanted, one_node=False), nodes({"CPU": 4.0}))


def test_a_job_of_one_node_is_measured_against_the_largest() -> None:
    wanted = ({"CPU": 2.0}, {"CPU": 3.0}, {"CPU": 1.0})
    two = nodes({"CPU": 4.0}, {"CPU": 5.0})
    check_fits(Needs(wanted, one_node=False), two)
    with pytest.raises(TooLargeError, match=r"6 CPU .* on one node, of which the largest has 5"):
        check_fits(Needs(wanted, one_node=True), two)


def test_an_actor_has_to_fit_one_node() -> None:
    four = nodes({"CPU": 2.0}, {"CPU": 2.0}, {"CPU": 2.0}, {"CPU": 2.0})
    check_fits(Needs(({"CPU": 2.0},) * 4, one_node=False), four)
    with pytest.raises(TooLargeError) as refused:
        check_fits(Needs(({"CPU": 1.0}, {"CPU": 3.0}), one_node=False), four)
    assert str(refused.value) == (
        "an actor of the job needs 3 CPU, and the largest node has 2: lower resources.*.cpus or "
        ".gpus, or add larger nodes"
    )


ON_GPUS = Resources.model_validate(
    {
        "device": "cuda",
        "generator": {"count": 2, "cpus": 2, "gpus": 1},
        "scorer": {"count": 1, "cpus": 3, "gpus": 1},
        "learner": {"ranks": 2, "cpus": 1, "gpus": 1},
    }
)


def test_each_bundle_asks_for_nodes_of_its_role() -> None:
    needs = needs_on(ON_GPUS, 2, one_node=False, label=LABEL)
    assert isinstance(needs, PlacedNeeds)
    roles = [selector[LABEL] for selector in needs.selectors]
    assert roles == ["learner"] * 2 + ["scorer"] * 2 + ["generator"] * 2
    assert len(needs.selectors) == len(needs.bundles) == 6
    assert type(needs_on(ON_GPUS, 2, one_node=False, label="")) is Needs


def test_a_role_is_measured_against_the_nodes_that_have_its_label() -> None:
    needs = needs_on(ON_GPUS, 1, one_node=False, label=LABEL)
    large = {"CPU": 8.0, "GPU": 4.0}
    both = [LabelledNode(large, {LABEL: role}) for role in ("learner", "scorer")]
    small = LabelledNode({"CPU": 3.0, "GPU": 4.0}, {LABEL: "generator"})
    check_fits(needs, [*both, small, LabelledNode({"CPU": 1.0}, {LABEL: "generator"})])
    with pytest.raises(TooLargeError) as refused:
        check_fits(needs, [*both, small])
    assert str(refused.value) == (
        "the generator of the job needs 4 CPU (2 x 2), and the 1 nodes with the label "
        "rkd.io/role=generator have 3: lower resources.generator, or give that role more nodes"
    )


def test_actors_that_have_to_be_on_one_node_cannot_go_to_nodes_of_their_roles() -> None:
    needs = needs_on(Resources(), 1, one_node=True, label=LABEL)
    with pytest.raises(TooLargeError, match=r"set resources\.device to cuda, or have RKD_ROLE_LAB"):
        check_fits(needs, nodes({"CPU": 64.0}))
