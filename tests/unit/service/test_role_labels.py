"""Nodes of roles: what the control plane knows of them and tells its runs."""

from typing import Any

import httpx
import pytest

from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.launchers.room import LabelledRoom, Node, Room
from rkd_online.service.settings import Settings
from rkd_online.spec.placed import LabelledNode
from tests.unit.service.kuberay.specs import GPUS
from tests.unit.service.plane import SPEC, Clock, open_plane

pytestmark = pytest.mark.asyncio

LABEL = "rkd.io/role"
USAGE = {"10.0.0.1": {"CPU": [1.0, 8.0], "GPU": [0.0, 4.0]}}
NODES = [
    {"state": "ALIVE", "labels": {LABEL: "learner"}, "resources_total": {"CPU": 8.0, "GPU": 4.0}},
    {"state": "DEAD", "labels": {LABEL: "scorer"}, "resources_total": {"CPU": 8.0}},
]


def answer(request: httpx.Request) -> httpx.Response:
    body: Any = {"clusterStatus": {"loadMetricsReport": {"usageByNode": USAGE}}}
    if request.url.path == "/api/v0/nodes":
        body = {"result": {"result": NODES}}
    return httpx.Response(200, json={"data": body})


async def test_with_a_label_room_has_the_labels_of_nodes_that_are_there(settings: Settings) -> None:
    labelled = settings.model_copy(update={"role_label": LABEL})
    found = await RayJobs(labelled, httpx.MockTransport(answer)).room()
    node = Node({"CPU": 8.0, "GPU": 4.0}, {"CPU": 1.0, "GPU": 0.0})
    alive = LabelledNode({"CPU": 8.0, "GPU": 4.0}, {LABEL: "learner"})
    assert found == LabelledRoom((node,), (alive,))
    assert await RayJobs(settings, httpx.MockTransport(answer)).room() == Room((node,))


async def test_a_job_whose_roles_lack_nodes_is_refused_when_it_is_submitted(
    settings: Settings, clock: Clock
) -> None:
    async with open_plane(settings.model_copy(update={"role_label": LABEL}), clock) as plane:
        large = {"CPU": 64.0, "GPU": 8.0}
        nodes = tuple(LabelledNode(large, {LABEL: role}) for role in ("learner", "scorer"))

        async def room() -> Room:
            return LabelledRoom((Node(large, {}), Node(large, {})), nodes)

        plane.launcher.room = room  # type: ignore[method-assign]
        refused = await plane.http.post("/v1/jobs", json=SPEC | {"resources": GPUS})
        assert (refused.status_code, refused.json()["code"]) == (422, "does_not_fit")
        assert refused.json()["detail"] == (
            "the generator of the job needs 6 CPU (3 x 2), and the 0 nodes with the label "
            "rkd.io/role=generator have 0: lower resources.generator, or label more nodes"
        )
        on_cpu = await plane.http.post("/v1/jobs:validate", json=SPEC)
        assert on_cpu.json()["verdict"]["detail"].endswith(
            "set resources.device to cuda, or have RKD_ROLE_LABEL unset"
        )
