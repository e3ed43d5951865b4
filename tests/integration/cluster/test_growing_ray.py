"""A real Ray that begins with a head alone: its autoscaler, the second version as the chart sets
it, adds (pretended) nodes of the groups whose labels a waiting run asks for."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import ray

from rkd_online.cluster.placement import Ground, reserve
from rkd_online.errors import ClusterError
from rkd_online.service.launchers.groups import NodeGroup
from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.launchers.room import LabelledRoom, NodeOfRole, Room
from rkd_online.service.local_ray_start import free_port, wait_until_up
from rkd_online.service.processes import of_session, send, session_gone
from rkd_online.service.settings import Settings
from rkd_online.spec.resources import Resources

pytestmark = pytest.mark.timeout(300)

LABEL = "rkd.io/role"
GROUPS = tuple(
    NodeGroup.model_validate({"role": role, "nodes": 2, "cpus": 4, "gpus": 2})
    for role in ("generator", "scorer", "learner")
)
"""Of one size, so that labels alone tell them apart."""
GPU = {"cpus": 1, "gpus": 1}
RESOURCES = Resources.model_validate(
    {"device": "cuda", "generator": {"count": 2, **GPU}, "scorer": {"cpus": 1}, "learner": GPU}
)
HEAD = "0" * 56
START_SECONDS = 60.0


def autoscaling() -> dict[str, Any]:
    """What Ray's provider for its own tests is told; KubeRay tells the same of a RayCluster."""
    types: dict[str, Any] = {
        "ray.head.default": {"resources": {}, "node_config": {}, "max_workers": 0}
    }
    for group in GROUPS:
        types[group.role] = {
            "resources": group.offer | {"object_store_memory": 80 * 2**20},
            "labels": {LABEL: group.role},
            "node_config": {},
            "min_workers": 0,
            "max_workers": group.nodes,
        }
    return {
        "cluster_name": "growing",
        "max_workers": 6,
        "provider": {
            # By its class: the installed Ray lacks the file of defaults for its name.
            "type": "external",
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "launch_multiple": True,
            "head_node_id": HEAD,
        },
        "available_node_types": types,
        "head_node_type": "ray.head.default",
        "idle_timeout_minutes": 5,
        "upscaling_speed": 100.0,
        # What a file of defaults would add.
        **{f"{part}setup_commands": [] for part in ("", "head_", "worker_")},
        **{f"{part}start_ray_commands": [] for part in ("head_", "worker_")},
        **{
            "auth": {},
            "docker": {},
            "initialization_commands": [],
            "file_mounts": {},
            "cluster_synced_files": [],
        },
    }


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Ray without a CPU, to which this process belongs."""
    folder = tmp_path_factory.mktemp("growing")
    config = folder / "autoscaling.json"
    gcs, port = free_port(), free_port()
    told = autoscaling()
    told["provider"]["gcs_address"] = f"127.0.0.1:{gcs}"
    config.write_text(json.dumps(told))
    variables = {
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": HEAD,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    }
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        *("--node-ip-address=127.0.0.1", f"--port={gcs}", f"--autoscaling-config={config}"),
        *("--num-cpus=0", "--dashboard-host=127.0.0.1", f"--dashboard-port={port}"),
        *("--object-store-memory=100000000", "--disable-usage-stats"),
    ]
    with (folder / "ray.log").open("wb") as log:
        head = subprocess.Popen(
            command,
            env=os.environ | variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(head, address, folder / "ray.log", START_SECONDS)
        ray.init(address=f"127.0.0.1:{gcs}", namespace="test", log_to_driver=False)
        yield address
    finally:
        ray.shutdown()
        _end(head)


def _end(head: "subprocess.Popen[bytes]") -> None:
    head.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        head.wait(45)
    if not session_gone(head.pid, 10):
        for pid in of_session(head.pid):
            send(pid, signal.SIGKILL)
    head.wait(10)


def roles() -> Counter[str]:
    """How many nodes there are of each role."""
    alive = (node["Labels"].get(LABEL) for node in ray.nodes() if node["Alive"])
    return Counter(role for role in alive if role)


async def room(settings: Settings) -> Room:
    """What the control plane is told."""
    launcher = RayJobs(settings)
    try:
        return await launcher.room()
    finally:
        await launcher.close()


async def reserved(settings: Settings) -> list[NodeOfRole]:
    """The nodes with CPUs, when Ray has heard that each is in use: it asks them every second."""
    for _ in range(20):
        found = await room(settings)
        assert isinstance(found, LabelledRoom)
        nodes = [node for node in found.nodes if node.total]
        if all(any(node.used.values()) for node in nodes):
            break
        await asyncio.sleep(1)
    return nodes


def test_nodes_of_each_role_come_for_a_run_that_waits(dashboard: str, tmp_path: Path) -> None:
    assert roles() == {}
    settings = Settings(
        data_dir=tmp_path, ray_address=dashboard, role_label=LABEL, cluster_groups=GROUPS
    )

    told = asyncio.run(room(settings))
    assert isinstance(told, LabelledRoom)
    assert len(told.nodes) == 6
    placement = asyncio.run(reserve(RESOURCES, 1, "job-1", Ground(LABEL, 120.0, grows=True)))
    assert roles() == {"generator": 1, "scorer": 1, "learner": 1}
    # The nodes that are there, of which Ray's second autoscaler leaves no report.
    present = asyncio.run(reserved(settings.model_copy(update={"cluster_groups": ()})))
    assert {node.labels[LABEL]: node.used for node in present} == {
        "generator": {"CPU": 2.0, "GPU": 2.0},
        "scorer": {"CPU": 1.0, "GPU": 0.0},
        "learner": {"CPU": 1.0, "GPU": 1.0},
    }
    assert [node.total for node in present] == [{"CPU": 4.0, "GPU": 2.0}] * 3
    placement.release()


def test_a_run_whose_nodes_do_not_come_in_time_says_what_it_needs(dashboard: str) -> None:
    three = RESOURCES.model_copy(
        update={"learner": RESOURCES.learner.model_copy(update={"ranks": 5})}
    )
    with pytest.raises(ClusterError, match=r"no room for job job-2 within 3 s: it needs 8 CPU and"):
        asyncio.run(reserve(three, 1, "job-2", Ground(LABEL, 3.0, grows=True)))
