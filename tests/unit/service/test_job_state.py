"""Every pair of statuses, not only those that should work."""

import pickle
from itertools import product

import pytest

from rkd_online.service.state import (
    ACTIVE,
    TERMINAL,
    IllegalTransition,
    Status,
    cancel_target,
    check_move,
)

LEGAL = {
    ("queued", "starting"),
    ("queued", "cancelled"),
    ("starting", "running"),
    ("starting", "stopping"),
    ("starting", "queued"),
    ("starting", "succeeded"),
    ("starting", "failed"),
    ("running", "stopping"),
    ("running", "queued"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("stopping", "cancelled"),
    ("stopping", "succeeded"),
}


@pytest.mark.parametrize(("current", "target"), list(product(Status, Status)))
def test_a_move_is_legal_exactly_when_it_is_listed(current: Status, target: Status) -> None:
    if (current, target) in LEGAL:
        check_move(current, target)
    else:
        with pytest.raises(IllegalTransition, match=f"{current} cannot become {target}"):
            check_move(current, target)


def test_the_last_statuses_are_those_that_no_move_leaves() -> None:
    assert {"succeeded", "failed", "cancelled"} == TERMINAL
    assert {"starting", "running", "stopping"} == ACTIVE


@pytest.mark.parametrize(
    ("current", "target"),
    [
        ("queued", "cancelled"),
        ("starting", "stopping"),
        ("running", "stopping"),
        ("stopping", "stopping"),
        ("cancelled", "cancelled"),
    ],
)
def test_a_cancel_leads_to(current: str, target: str) -> None:
    assert cancel_target(Status(current)) == target


@pytest.mark.parametrize("current", [Status.SUCCEEDED, Status.FAILED])
def test_what_has_ended_otherwise_cannot_be_cancelled(current: Status) -> None:
    with pytest.raises(IllegalTransition):
        cancel_target(current)


def test_an_illegal_transition_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(IllegalTransition(Status.FAILED, "cancelled")))
    assert str(error) == "a job that is failed cannot become cancelled"
