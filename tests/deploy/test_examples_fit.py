"""The groups of the values for GPUs have room for every example that asks for GPUs."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from rkd_online.service.launchers.groups import NodeGroup, grown_room
from rkd_online.service.launchers.room import LabelledRoom
from rkd_online.service.reconcile.needs import needs_of
from rkd_online.spec.load import load_spec
from rkd_online.spec.placed import PlacedNeeds, label_shortfall
from tests.deploy.charts import ROOT, Object
from tests.deploy.test_control import environment

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
ON_GPUS = [path for path in EXAMPLES if load_spec(path).resources.device == "cuda"]


@pytest.mark.parametrize("example", ON_GPUS, ids=lambda path: path.stem)
def test_it_fits(rendered: Mapping[str, list[Object]], example: Path) -> None:
    told = environment(rendered["prod-gpu"])
    groups = tuple(NodeGroup.model_validate(one) for one in json.loads(told["RKD_CLUSTER_GROUPS"]))
    room = grown_room(groups, told["RKD_ROLE_LABEL"])
    needs = needs_of(load_spec(example), told["RKD_ROLE_LABEL"])
    assert isinstance(room, LabelledRoom) and isinstance(needs, PlacedNeeds)
    assert label_shortfall(needs, room.labelled) is None


def test_there_are_such_examples() -> None:
    assert {path.stem for path in ON_GPUS} >= {"math", "domains", "paper-math-8b"}
