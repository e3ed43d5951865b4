"""The labels of Ray's nodes, which its autoscaler does not tell with what they have."""

import time
from collections.abc import Collection, Mapping
from typing import Final

from rkd_online.service.launchers.ray_dashboard import RayDashboard

KEPT_SECONDS: Final = 60.0
"""A node's labels never change, but its address may come to another node."""


class NodeLabels:
    """Asks for the list of nodes when one is new, or the last list is old."""

    def __init__(self, ray: RayDashboard) -> None:
        self._ray = ray
        self._known: dict[str, Mapping[str, str]] = {}
        self._asked_at = 0.0

    async def of(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Labels by what the autoscaler calls nodes: their ids, or with the first one on KubeRay
        their addresses. A node that Ray does not list has none."""
        old = time.monotonic() - self._asked_at > KEPT_SECONDS
        if old or not self._known.keys() >= set(names):
            self._known = {name: {} for name in names} | await self._listed()
            self._asked_at = time.monotonic()
        return self._known

    async def _listed(self) -> dict[str, Mapping[str, str]]:
        answer = await self._ray.call("GET", "/api/v0/nodes", params={"limit": "10000"})
        nodes = self._ray.check(answer)["data"]["result"]["result"]
        return {
            node[name]: node["labels"]
            for node in nodes
            if node["state"] == "ALIVE"
            for name in ("node_id", "node_ip")
        }
