"""Every pair of statuses, not only those that should work."""

import pickle
from itertools import product

import pytest

from rkd_online.service.state import (
    ACTIVE,
    TERMINAL,
    Action,
    IllegalTransition,
    Status,
    check_move,
    target_of,
)

LEGAL = {
    ("queued", "starting"),
    ("queued", "paused"),
    ("queued", "cancelled"),
    ("starting", "running"),
    ("starting", "pausing"),
    ("starting", "stopping"),
    ("starting", "queued"),
    ("starting", "succeeded"),
    ("starting", "failed"),
    ("running", "pausing"),
    ("running", "stopping"),
    ("running", "queued"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("pausing", "paused"),
    ("pausing", "stopping"),
    ("pausing", "succeeded"),
    ("pausing", "failed"),
    ("paused", "queued"),
    ("paused", "cancelled"),
    ("stopping", "cancelled"),
    ("stopping", "succeeded"),
}

LEADS_TO = {
    ("cancel", "queued"): "cancelled",
    ("cancel", "starting"): "stopping",
    ("cancel", "running"): "stopping",
    ("cancel", "pausing"): "stopping",
    ("cancel", "paused"): "cancelled",
    ("cancel", "stopping"): "stopping",
    ("cancel", "cancelled"): "cancelled",
    ("pause", "queued"): "paused",
    ("pause", "starting"): "pausing",
    ("pause", "running"): "pausing",
    ("pause", "pausing"): "pausing",
    ("pause", "paused"): "paused",
    ("resume", "queued"): "queued",
    ("resume", "starting"): "starting",
    ("resume", "running"): "running",
    ("resume", "paused"): "queued",
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
    assert {"starting", "running", "pausing", "stopping"} == ACTIVE


@pytest.mark.parametrize(("action", "current"), list(product(Action, Status)))
def test_an_action_leads_where_the_list_says_or_is_illegal(action: Action, current: Status) -> None:
    if target := LEADS_TO.get((action, current)):
        assert target_of(action, current) == target
        # An action never needs a move that the table does not have.
        assert target == current or (current, target) in LEGAL
    else:
        with pytest.raises(IllegalTransition, match=f"a job that is {current} cannot become"):
            target_of(action, current)


def test_an_illegal_transition_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(IllegalTransition(Status.FAILED, "cancelled")))
    assert str(error) == "a job that is failed cannot become cancelled"
