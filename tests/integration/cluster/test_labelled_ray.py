"""A Ray whose nodes carry labels for roles: where actors go, what the control plane knows of it,
and what is kept of their logs. One Ray for all of it: it takes long to start."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util.placement_group import placement_group_table
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from rkd_online.cluster.logs import keep_logs
from rkd_online.cluster.placement import Ground, reserve
from rkd_online.errors import TooLargeError
from rkd_online.service.launchers.base import LauncherUnavailable
from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.launchers.room import LabelledRoom
from rkd_online.service.settings import Settings
from rkd_online.spec.resources import Resources

LABEL = "rkd.io/role"
ROLES = ("learner", "scorer", "generator")
GPU = {"cpus": 1, "gpus": 1}
RESOURCES = Resources.model_validate(
    {
        "device": "cuda",
        "generator": {"count": 2, **GPU},
        "scorer": {"cpus": 2},
        "learner": {"ranks": 2, **GPU},
    }
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head without room, and a node of 3 CPU and 2 (pretended) GPUs for each role."""
    nodes = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": True, "dashboard_port": 0},
    )
    for role in ROLES:
        nodes.add_node(
            num_cpus=3, num_gpus=2, labels={LABEL: role}, object_store_memory=100 * 2**20
        )
    ray.init(address=nodes.address, namespace="test", log_to_driver=False)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def roles_by_node() -> dict[str, str]:
    return {node["NodeID"]: node["Labels"].get(LABEL, "head") for node in ray.nodes()}


def test_each_role_goes_to_the_nodes_of_its_label(cluster: Cluster) -> None:
    placement = asyncio.run(reserve(RESOURCES, 1, "job-1", Ground(LABEL)))
    table: dict[str, Any] = placement_group_table(placement.group)
    where = roles_by_node()
    placed = [where[table["bundles_to_node_id"][index]] for index in range(5)]
    assert placed == ["learner", "learner", "scorer", "generator", "generator"]
    placement.release()


def test_a_role_whose_nodes_are_too_small_is_refused_though_the_cluster_is_not(
    cluster: Cluster,
) -> None:
    three = RESOURCES.model_copy(
        update={"generator": RESOURCES.generator.model_copy(update={"count": 3})}
    )
    with pytest.raises(TooLargeError, match=r"generator of the job needs 3 GPU \(3 x 1\), and the"):
        asyncio.run(reserve(three, 1, "job-2", Ground(LABEL)))
    free = asyncio.run(reserve(three, 1, "job-3", Ground()))
    free.release()


def usage(room: LabelledRoom) -> dict[str, tuple[tuple[float, float], ...]]:
    """What is used and what there is of CPUs and GPUs, by role."""
    return {
        node.labels.get(LABEL, "head"): tuple(
            (node.used.get(kind, 0), node.total.get(kind, 0)) for kind in ("CPU", "GPU")
        )
        for node in room.nodes
    }


def test_the_control_plane_knows_what_the_nodes_of_each_role_have_and_what_is_taken(
    cluster: Cluster, tmp_path: Path
) -> None:
    address = f"http://{cluster.head_node.webui_url}"
    settings = Settings(data_dir=tmp_path, ray_address=address, role_label=LABEL)
    taken = {
        "head": ((0, 0), (0, 0)),
        "generator": ((2, 3), (2, 2)),
        "learner": ((2, 3), (2, 2)),
        "scorer": ((2, 3), (0, 2)),
    }
    free = {role: tuple((0, total) for _, total in pair) for role, pair in taken.items()}

    async def told(wanted: Any) -> None:
        launcher = RayJobs(settings)
        found: Any = "nothing"
        try:
            async with asyncio.timeout(60):
                while found != wanted:
                    await asyncio.sleep(0.5)
                    with suppress(LauncherUnavailable):  # the autoscaler has not looked yet
                        room = await launcher.room()
                        assert isinstance(room, LabelledRoom)
                        found = usage(room)
        except TimeoutError:
            pytest.fail(f"60 s did not make {wanted} of {found}")
        finally:
            await launcher.close()

    asyncio.run(told(free))
    placement = asyncio.run(reserve(RESOURCES, 1, "job-5", Ground(LABEL)))
    asyncio.run(told(taken))
    placement.release()


def test_the_ends_of_actors_logs_are_kept(cluster: Cluster, tmp_path: Path) -> None:
    class Talker:
        def talk(self) -> None:
            print("\x1b[36mso it was said\x1b[0m", flush=True)

    placement = asyncio.run(reserve(RESOURCES, 1, "job-4", Ground(LABEL)))
    actor = (
        ray.remote(Talker)
        .options(
            num_cpus=0.1,
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                placement_group=placement.group, placement_group_bundle_index=3
            ),
        )
        .remote()
    )
    ray.get(actor.talk.remote(), timeout=60)
    asyncio.run(keep_logs(tmp_path / "logs", {"generator:0": actor._actor_id.hex()}))
    placement.release()
    assert sorted(file.name for file in (tmp_path / "logs").iterdir()) == [
        "generator.0.err",
        "generator.0.out",
    ]
    # Without the colour, and without the marks that Ray puts before it.
    assert (tmp_path / "logs" / "generator.0.out").read_text() == "so it was said\n"
