"""Room for a job's actors: all of it or none, with the arithmetic when there is none."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group

from rkd_online.errors import ClusterError, TooLargeError
from rkd_online.spec.needs import Bundle, Needs, shortfall
from rkd_online.spec.placed import LabelledNode, PlacedNeeds, label_shortfall, needs_on, scattered
from rkd_online.spec.resources import Resources
from rkd_online.weights.transfer import transfer_for

FULL_SECONDS: Final = 300.0
"""Time to wait for room on a cluster that is large enough."""
LOOK_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Placement:
    """A reserved placement group: bundles of the learner's ranks, the scorers, the generators."""

    group: PlacementGroup
    bundles: tuple[Bundle, ...]

    def release(self) -> None:
        """Give the room back."""
        remove_placement_group(self.group)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a cluster is like: the label of nodes by which roles are placed, where there is one, how
    many seconds it may have no room, and whether it ``grows``, nodes coming as they are needed."""

    role_label: str = ""
    timeout: float = FULL_SECONDS
    grows: bool = False


def ground_of(environment: Mapping[str, str]) -> Ground:
    """As the control plane tells a run."""
    label = environment.get("RKD_ROLE_LABEL", "")
    if "RKD_NODE_WAIT_SECONDS" not in environment:
        return Ground(label)
    return Ground(label, float(environment["RKD_NODE_WAIT_SECONDS"]), grows=True)


async def reserve(resources: Resources, courses: int, job: str, ground: Ground) -> Placement:
    """Reserve room for all actors of a job at once; where there is a label for roles, on nodes that
    carry it with their role as its value.

    Raises TooLargeError with the arithmetic when a cluster that does not grow cannot hold them, and
    ClusterError when there is no room for them in time.
    """
    # Weights that travel as files lie in one node's shared memory.
    one_node = transfer_for(resources) == "file"
    needs = needs_on(resources, courses, one_node=one_node, label=ground.role_label)
    if not ground.grows:
        check_fits(needs, [_labelled(node) for node in ray.nodes() if node["Alive"]])
    group = placement_group(
        list(needs.bundles),
        strategy="STRICT_PACK" if needs.one_node else "PACK",
        name=f"rkd:{job}",
        bundle_label_selector=needs.selectors if isinstance(needs, PlacedNeeds) else None,
    )
    try:
        there = await _there(group, ground.timeout)
    except asyncio.CancelledError:
        remove_placement_group(group)
        raise
    if not there:
        free = ray.available_resources()
        remove_placement_group(group)
        raise ClusterError(
            f"the cluster had no room for job {job} within {ground.timeout:.0f} s: it needs "
            f"{needs}, free in all are {free.get('CPU', 0):g} CPU and {free.get('GPU', 0):g} GPU"
        )
    return Placement(group, needs.bundles)


async def _there(group: PlacementGroup, timeout: float) -> bool:
    """Whether a group gets its room in time. A thread cannot be called off, so that each wait is
    short: a process that is to end would wait for it."""
    deadline = time.monotonic() + timeout
    while not await asyncio.to_thread(group.wait, min(timeout, LOOK_SECONDS)):
        if time.monotonic() > deadline:
            return False
    return True


def check_fits(needs: Needs, nodes: Sequence[LabelledNode]) -> None:
    """Refuse a job that the whole cluster, empty, could not hold."""
    problem = scattered(needs) or shortfall(needs, [node.resources for node in nodes])
    if problem is None and isinstance(needs, PlacedNeeds):
        problem = label_shortfall(needs, nodes)
    if problem is not None:
        raise TooLargeError(problem)


def _labelled(node: Mapping[str, Any]) -> LabelledNode:
    return LabelledNode(node["Resources"], node["Labels"])
