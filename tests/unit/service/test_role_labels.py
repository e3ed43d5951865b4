"""Nodes of roles: what the control plane knows of them and tells its runs."""

from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from rkd_online.service.launchers import ray_nodes
from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.launchers.room import LabelledRoom, Node, NodeOfRole, Room
from rkd_online.service.settings import Settings
from tests.unit.service.kuberay.specs import GPUS
from tests.unit.service.plane import SPEC, Clock, open_plane

pytestmark = pytest.mark.asyncio

LABEL = "rkd.io/role"
HALF = {"CPU": [1.0, 8.0], "GPU": [2.0, 4.0]}
NOTHING: dict[str, float] = {}
TOTAL, USED = {"CPU": 8.0, "GPU": 4.0}, {"CPU": 1.0, "GPU": 2.0}


class Dashboard:
    """A Ray whose autoscaler calls nodes by ``names``, and which lists them by id and address."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.listed = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        usage = dict.fromkeys(self.names, HALF)
        body: Any = {"clusterStatus": {"loadMetricsReport": {"usageByNode": usage}}}
        if request.url.path == "/api/v0/nodes":
            self.listed += 1
            body = {"result": {"result": [self.node(1), self.node(2), self.node(1, "DEAD")]}}
        return httpx.Response(200, json={"data": body})

    def node(self, number: int, state: str = "ALIVE") -> dict[str, Any]:
        labels = {LABEL: "learner" if number == 1 else "scorer"} if state == "ALIVE" else {}
        named = {"node_id": f"{number:056x}", "node_ip": f"10.0.0.{number}"}
        return {**named, "state": state, "labels": labels}


def ray(settings: Settings, dashboard: Dashboard, **changes: Any) -> RayJobs:
    changed = settings.model_copy(update={"role_label": LABEL, **changes})
    return RayJobs(changed, httpx.MockTransport(dashboard))


@pytest.mark.parametrize("names", [("10.0.0.1", "10.0.0.2"), (f"{1:056x}", f"{2:056x}")])
async def test_nodes_have_their_labels_by_their_address_or_id(
    settings: Settings, names: tuple[str, str]
) -> None:
    room = await ray(settings, Dashboard(*names)).room()
    learner, scorer = (NodeOfRole(TOTAL, USED, {LABEL: one}) for one in ("learner", "scorer"))
    assert room == LabelledRoom((learner, scorer), LABEL)
    assert isinstance(room, LabelledRoom)
    assert room.of("scorer") == Room((scorer,))
    assert room.of("generator") == Room(())


async def test_nodes_are_listed_when_one_is_new_or_the_list_is_old(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard = Dashboard("10.0.0.1", "10.0.0.9")
    launcher = ray(settings, dashboard)
    for _ in range(3):
        room = await launcher.room()
    # The second is no longer in the list, or not yet: it is of no role.
    assert room == LabelledRoom(
        (NodeOfRole(TOTAL, USED, {LABEL: "learner"}), NodeOfRole(TOTAL, USED, {})), LABEL
    )
    assert dashboard.listed == 1
    dashboard.names.append("10.0.0.8")
    await launcher.room()
    await launcher.room()
    assert dashboard.listed == 2
    monkeypatch.setattr(ray_nodes, "KEPT_SECONDS", -1.0)
    await launcher.room()
    assert dashboard.listed == 3


async def test_without_a_label_no_labels_are_asked_for(settings: Settings) -> None:
    dashboard = Dashboard("10.0.0.1")
    assert await ray(settings, dashboard, role_label="").room() == Room((Node(TOTAL, USED),))
    assert dashboard.listed == 0


def room_of(
    **roles: tuple[dict[str, float], dict[str, float]],
) -> Callable[[], Coroutine[Any, Any, Room]]:
    """A node for each role with what it offers and what is taken."""

    async def room() -> Room:
        nodes = (NodeOfRole(*pair, {LABEL: role}) for role, pair in roles.items())
        return LabelledRoom(tuple(nodes), LABEL)

    return room


async def test_a_job_whose_roles_lack_nodes_is_refused_when_it_is_submitted(
    settings: Settings, clock: Clock
) -> None:
    async with open_plane(settings.model_copy(update={"role_label": LABEL}), clock) as plane:
        large = {"CPU": 64.0, "GPU": 8.0}
        plane.launcher.room = room_of(learner=(large, {}), scorer=(large, {}))  # type: ignore[method-assign]
        refused = await plane.http.post("/v1/jobs", json=SPEC | {"resources": GPUS})
        assert (refused.status_code, refused.json()["code"]) == (422, "does_not_fit")
        assert refused.json()["detail"] == (
            "the generator of the job needs 6 CPU (3 x 2), and the 0 nodes with the label "
            "rkd.io/role=generator have 0: lower resources.generator, or give that role more nodes"
        )
        on_cpu = await plane.http.post("/v1/jobs:validate", json=SPEC)
        assert on_cpu.json()["verdict"]["detail"].endswith(
            "set resources.device to cuda, or have RKD_ROLE_LABEL unset"
        )


async def test_a_job_waits_for_the_nodes_of_the_role_that_is_full(
    settings: Settings, clock: Clock
) -> None:
    """Each job needs 2 GPU for its learner, 1 for its scorers and 3 for its generators."""
    changed = settings.model_copy(update={"role_label": LABEL, "max_running_jobs": 50})
    async with open_plane(changed, clock) as plane:
        large, small = {"CPU": 64.0, "GPU": 64.0}, {"CPU": 64.0, "GPU": 4.0}
        others = {"scorer": (large, NOTHING), "generator": (large, NOTHING)}

        async def waiting(job_id: str) -> str:
            await plane.reconcile()
            found: str = (await plane.job(job_id))["waiting"]
            return found

        plane.launcher.room = room_of(learner=(small, {"GPU": 3.0}), **others)  # type: ignore[method-assign]
        first = await plane.submit(resources=GPUS)
        words = "waits for room: it needs 2 GPU on nodes with rkd.io/role=learner, and {} are free"
        assert await waiting(first) == words.format(1)
        validated = await plane.http.post("/v1/jobs:validate", json=SPEC | {"resources": GPUS})
        assert validated.json()["verdict"]["detail"] == f"needs 16 CPU and 6 GPU; {words.format(1)}"
        plane.launcher.room = room_of(learner=(small, NOTHING), **others)  # type: ignore[method-assign]
        await plane.submit(resources=GPUS)
        clock.pass_by(1)
        last = await plane.submit(resources=GPUS)
        assert await waiting(last) == words.format(0)
        # The cluster shows nothing of the two yet, which were begun in the pass before.
        assert await waiting(last) == words.format(0)
        assert len(plane.launcher.launches) == 2
