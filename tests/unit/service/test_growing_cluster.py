"""A cluster that an autoscaler adds nodes to: jobs are begun before their nodes are there."""

from typing import Any

import httpx
import pytest

from rkd_online.cluster.placement import Ground, ground_of
from rkd_online.service.launchers.base import LauncherUnavailable
from rkd_online.service.launchers.driver import environment
from rkd_online.service.launchers.groups import NodeGroup, grown_room
from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.launchers.room import LabelledRoom, Node, NodeOfRole, Room, endless_room
from rkd_online.service.settings import Settings
from tests.unit.service.kuberay.specs import GPUS, LAUNCH
from tests.unit.service.plane import SPEC, Clock, Plane, open_plane

pytestmark = pytest.mark.asyncio

LABEL = "rkd.io/role"
GROUPS = (
    NodeGroup(role="learner", nodes=2, cpus=8, gpus=2),
    NodeGroup(role="scorer", nodes=1, cpus=16, gpus=4),
    NodeGroup(role="generator", nodes=3, cpus=8, gpus=2),
)
"""Each job of GPUS needs 2 GPU for its learner, 1 for its scorers and 3 for its generators."""


HEAD = {"head": "0B/2.00GiB memory"}


def growing(settings: Settings, **changes: Any) -> Settings:
    update = {"role_label": LABEL, "cluster_groups": GROUPS, "max_running_jobs": 50}
    return settings.model_copy(update=update | changes)


def grow(plane: Plane, label: str = LABEL) -> None:
    """Have the cluster tell what RayJobs would."""

    async def room() -> Room:
        return grown_room(GROUPS, label)

    plane.launcher.room = room  # type: ignore[method-assign]


def telling(texts: dict[str, str], roles: dict[str, str]) -> httpx.MockTransport:
    """A Ray with its second autoscaler: what its page says of nodes, and their roles by id."""
    listed = [
        {"node_id": name, "node_ip": f"of-{name}", "state": "ALIVE", "labels": {LABEL: role}}
        for name, role in roles.items()
    ]
    answers: dict[str, Any] = {
        "/api/cluster_status": {"clusterStatus": None},
        "/nodes": {"summary": [], "nodeLogicalResources": texts},
        "/api/v0/nodes": {"result": {"result": listed}},
    }
    return httpx.MockTransport(
        lambda request: httpx.Response(200, json={"data": answers[request.url.path]})
    )


async def test_room_is_every_node_that_there_can_be(settings: Settings) -> None:
    room = await RayJobs(growing(settings), telling(HEAD, {"head": ""})).room()
    learner, scorer, generator = (NodeOfRole(one.offer, {}, {LABEL: one.role}) for one in GROUPS)
    assert room == LabelledRoom((learner, learner, scorer, generator, generator, generator), LABEL)
    without = await RayJobs(growing(settings, role_label=""), telling(HEAD, {})).room()
    assert without.totals == [node.total for node in room.nodes]
    assert type(without) is Room and type(without.nodes[0]) is Node


async def test_what_others_take_of_nodes_that_are_there_is_taken(settings: Settings) -> None:
    texts = {**HEAD, "a": "3.0/8.0 CPU\n1.0/2.0 GPU", "b": "8.0/8.0 CPU"}
    roles = {"head": "", "a": "generator", "b": "generator"}
    room = await RayJobs(growing(settings), telling(texts, roles)).room()
    # The head is of no group, and b of another size than its role's.
    used = [node.used for node in room.nodes]
    assert used == [{}, {}, {}, {"CPU": 3.0, "GPU": 1.0}, {}, {}]
    without = await RayJobs(growing(settings, role_label=""), telling(texts, {})).room()
    assert [node.used for node in without.nodes] == [{"CPU": 3.0, "GPU": 1.0}, *[{}] * 5]


async def test_a_ray_that_tells_no_node_is_not_an_empty_one(settings: Settings) -> None:
    with pytest.raises(LauncherUnavailable, match="does not tell its nodes yet"):
        await RayJobs(growing(settings), telling({}, {})).room()


async def test_a_ray_that_is_away_is_still_noticed(settings: Settings) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(LauncherUnavailable):
        await RayJobs(growing(settings), httpx.MockTransport(refuse)).room()


async def test_jobs_are_begun_until_no_more_nodes_could_come(
    settings: Settings, clock: Clock
) -> None:
    async with open_plane(growing(settings), clock) as plane:
        grow(plane)
        first = await plane.submit(resources=GPUS)
        clock.pass_by(1)
        second = await plane.submit(resources=GPUS)
        clock.pass_by(1)
        third = await plane.submit(resources=GPUS)
        await plane.reconcile()
        assert {launch.job_id for launch in plane.launcher.launches} == {first, second}
        # 2 * 2 + 4 + 3 * 2 GPU, of which each of the two has 6
        assert (await plane.job(third))["waiting"] == (
            "waits for room: it needs 6 GPU, and 2 are free"
        )


async def test_an_actor_that_no_node_could_hold_is_refused(
    settings: Settings, clock: Clock
) -> None:
    async with open_plane(growing(settings), clock) as plane:
        grow(plane)
        large = {**GPUS, "generator": {"count": 1, "cpus": 2, "gpus": 3}}
        answer = await plane.http.post("/v1/jobs", json=SPEC | {"resources": large})
        assert (answer.status_code, answer.json()["code"]) == (422, "does_not_fit")
        assert answer.json()["detail"] == (
            "each generator of the job needs 3 GPU, and the largest node with the label "
            "rkd.io/role=generator has 2: lower resources.generator, or give that role larger nodes"
        )


async def test_nodes_that_come_later_count_for_what_a_fixed_cluster_can_hold(
    settings: Settings, clock: Clock
) -> None:
    """As when Ray's head is up, and its workers are starting."""
    async with open_plane(growing(settings, cluster_grows=False), clock) as plane:
        plane.launcher.nodes = []
        job = await plane.submit(resources=GPUS)
        await plane.reconcile()
        assert (await plane.job(job))[
            "waiting"
        ] == "waits for room: it needs 16 CPU, and 0 are free"
        beyond = {**GPUS, "learner": {"ranks": 5, "cpus": 1, "gpus": 1}}
        answer = await plane.http.post("/v1/jobs", json=SPEC | {"resources": beyond})
        assert (answer.status_code, answer.json()["code"]) == (422, "does_not_fit")
        plane.launcher.nodes = [Node({"CPU": 64.0, "GPU": 8.0}, {})]
        clock.pass_by(60)
        await plane.reconcile()
        assert [launch.job_id for launch in plane.launcher.launches] == [job]


async def test_groups_decide_what_fits_while_ray_does_not_answer(
    settings: Settings, clock: Clock
) -> None:
    async with open_plane(growing(settings), clock) as plane:
        plane.launcher.hidden = LauncherUnavailable("away")
        beyond = {**GPUS, "learner": {"ranks": 5, "cpus": 1, "gpus": 1}}
        answer = await plane.http.post("/v1/jobs", json=SPEC | {"resources": beyond})
        assert (answer.status_code, answer.json()["code"]) == (422, "does_not_fit")
        await plane.submit(resources=GPUS)


async def test_a_queue_of_the_clusters_own_decides_alone(settings: Settings, clock: Clock) -> None:
    async with open_plane(growing(settings), clock) as plane:
        plane.launcher.nodes = list(endless_room().nodes)
        beyond = {**GPUS, "learner": {"ranks": 5, "cpus": 1, "gpus": 1}}
        answer = await plane.http.post("/v1/jobs", json=SPEC | {"resources": beyond})
        assert answer.status_code == 201


async def test_the_room_of_a_fixed_cluster_is_what_is_there(settings: Settings) -> None:
    usage = {"10.0.0.1": {"CPU": [1.0, 8.0]}}
    status = {"data": {"clusterStatus": {"loadMetricsReport": {"usageByNode": usage}}}}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=status))
    fixed = growing(settings, cluster_grows=False, role_label="")
    assert await RayJobs(fixed, transport).room() == Room((Node({"CPU": 8.0}, {"CPU": 1.0}),))


async def test_a_run_is_told_how_long_its_nodes_may_take(settings: Settings) -> None:
    told = environment(growing(settings, node_wait_seconds=900.0), LAUNCH)
    assert ground_of(told) == Ground(LABEL, timeout=900.0, grows=True)
    fixed = environment(settings.model_copy(update={"role_label": LABEL}), LAUNCH)
    assert ground_of(fixed) == Ground(LABEL, timeout=300.0, grows=False)
    with_groups = environment(growing(settings, cluster_grows=False), LAUNCH)
    assert ground_of(with_groups) == ground_of(fixed)
    of_a_rayjob = environment(growing(settings, launcher="rayjob"), LAUNCH)
    assert ground_of(of_a_rayjob) == ground_of(fixed)
    assert ground_of({}) == Ground()
