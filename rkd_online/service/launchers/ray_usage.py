"""What each of Ray's nodes has and uses, from its dashboard.

There are two sources, by the version of Ray's autoscaler. The first leaves a report of numbers. The
second leaves none, and Ray turns it on by itself under KubeRay, with or without an autoscaler: then
only the page of nodes has them, as lines of text."""

import re
from typing import Final

from rkd_online.service.launchers.base import LauncherRefused
from rkd_online.service.launchers.ray_dashboard import RayDashboard
from rkd_online.service.launchers.room import Node
from rkd_online.spec.needs import KINDS

NUMBER: Final = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
LINE: Final = re.compile(
    rf"{NUMBER}/{NUMBER} \w+(?: \({NUMBER} used of {NUMBER} reserved in placement groups\))?"
)
"""Such as "1.0/4.0 CPU (1.0 used of 3.0 reserved in placement groups)". The first number leaves out
what is reserved and not in use; nobody else can have it. It is a difference, so that nothing may be
-1.7e-16."""
PAGE: Final = {"view": "summary", "nocache": "1"}
DIGITS: Final = 4
"""Ray counts in ten-thousandths."""


async def usage_by_node(ray: RayDashboard) -> dict[str, Node]:
    """Nodes by what Ray calls them, a few seconds old; empty where it does not tell them yet. Asked
    with a cache, the page would be as old as the question before."""
    status = ray.check(await ray.call("GET", "/api/cluster_status"))["data"]
    report = (status["clusterStatus"] or {}).get("loadMetricsReport") or {}
    if usage := report.get("usageByNode"):
        return {name: _of_numbers(numbers) for name, numbers in usage.items()}
    page = ray.check(await ray.call("GET", "/nodes", params=PAGE))["data"]
    return {name: _of_text(text) for name, text in page["nodeLogicalResources"].items()}


def _of_numbers(usage: dict[str, list[float]]) -> Node:
    """Pairs of what is used and what there is."""
    known = {kind: pair for kind, pair in usage.items() if kind in KINDS}
    return Node(
        total={kind: total for kind, (_, total) in known.items()},
        used={kind: used for kind, (used, _) in known.items()},
    )


def _of_text(text: str) -> Node:
    """A line for each kind. A reservation is used, whoever runs in it."""
    lines = text.splitlines()
    known = {kind: _read(line) for kind in KINDS for line in lines if f" {kind} " in f"{line} "}
    return Node(
        total={kind: total for kind, (_, total) in known.items()},
        used={kind: used for kind, (used, _) in known.items()},
    )


def _read(line: str) -> tuple[float, float]:
    """What is used and what there is."""
    match = LINE.fullmatch(line)
    if match is None:
        raise LauncherRefused(f"Ray tells of a node {line!r}: this version of Ray is not known")
    used, total, taken, reserved = (float(part) for part in match.groups(default="0"))
    return round(used - taken + reserved, DIGITS), total
