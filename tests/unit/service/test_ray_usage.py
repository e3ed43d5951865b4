"""What each of Ray's nodes has and uses, as both versions of its autoscaler tell it."""

from typing import Any

import httpx
import pytest

from rkd_online.service.launchers.base import LauncherRefused
from rkd_online.service.launchers.ray_dashboard import RayDashboard
from rkd_online.service.launchers.ray_usage import usage_by_node
from rkd_online.service.launchers.room import Node

pytestmark = pytest.mark.asyncio

HEAD = "0B/2.00GiB memory\n0B/469.28MiB object_store_memory"
"""Of a head with --num-cpus=0."""
WORKER = """1.0/4.0 CPU (1.0 used of 3.0 reserved in placement groups)
0.0/2.0 GPU
0.5/1.0 accelerator_type:H100
0B/6.00GiB memory"""


def dashboard(report: Any, texts: dict[str, str]) -> RayDashboard:
    def answer(request: httpx.Request) -> httpx.Response:
        data: Any = {"clusterStatus": report}
        if request.url.path == "/nodes":
            assert request.url.query == b"view=summary&nocache=1"
            data = {"summary": [], "nodeLogicalResources": texts}
        return httpx.Response(200, json={"data": data})

    return RayDashboard("http://ray", "", "start it", httpx.MockTransport(answer))


async def test_the_first_autoscaler_leaves_numbers() -> None:
    usage = {"10.0.0.1": {"CPU": [1.0, 8.0], "memory": [0.0, 5.0]}, "10.0.0.2": {"GPU": [2.0, 4.0]}}
    ray = dashboard({"loadMetricsReport": {"usageByNode": usage}}, {})
    assert await usage_by_node(ray) == {
        "10.0.0.1": Node({"CPU": 8.0}, {"CPU": 1.0}),
        "10.0.0.2": Node({"GPU": 4.0}, {"GPU": 2.0}),
    }


@pytest.mark.parametrize("report", [None, {}, {"loadMetricsReport": None}])
async def test_the_second_leaves_none_and_the_page_of_nodes_has_them(report: Any) -> None:
    ray = dashboard(report, {"head": HEAD, "worker": WORKER})
    # Of 4 CPUs a placement group has 3, and nothing else is used.
    assert await usage_by_node(ray) == {
        "head": Node({}, {}),
        "worker": Node({"CPU": 4.0, "GPU": 2.0}, {"CPU": 3.0, "GPU": 0.0}),
    }


async def test_what_is_used_beside_a_reservation_counts_too() -> None:
    text = "2.5/8.0 CPU (1.0 used of 3.0 reserved in placement groups)"
    found = await usage_by_node(dashboard(None, {"node": text}))
    assert found == {"node": Node({"CPU": 8.0}, {"CPU": 4.5})}


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("8.326672684688674e-17/4.0 CPU (0.0 used of 0.1 reserved in placement groups)", 0.1),
        ("-1.6653345369377348e-16/4.0 CPU (0.0 used of 0.3 reserved in placement groups)", 0.3),
    ],
)
async def test_differences_of_fractions_are_read(text: str, used: float) -> None:
    """As Ray prints them."""
    assert await usage_by_node(dashboard(None, {"node": text})) == {
        "node": Node({"CPU": 4.0}, {"CPU": used})
    }


async def test_before_it_tells_of_nodes_there_are_none() -> None:
    assert await usage_by_node(dashboard(None, {})) == {}


async def test_a_line_that_cannot_be_read_is_no_node_without_cpus() -> None:
    with pytest.raises(LauncherRefused, match="'4 of 8 CPU': this version of Ray is not known"):
        await usage_by_node(dashboard(None, {"node": "4 of 8 CPU"}))
