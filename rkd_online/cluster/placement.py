"""Room for a job's actors: all of it or none, with the arithmetic when there is none."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group

from rkd_online.errors import ClusterError, TooLargeError
from rkd_online.spec.needs import Bundle, Needs, shortfall
from rkd_online.spec.placed import LabelledNode, PlacedNeeds, label_shortfall, needs_on, scattered
from rkd_online.spec.resources import Resources
from rkd_online.weights.transfer import transfer_for


@dataclass(frozen=True, slots=True)
class Placement:
    """A reserved placement group: bundles of the learner's ranks, the scorers, the generators."""

    group: PlacementGroup
    bundles: tuple[Bundle, ...]

    def release(self) -> None:
        """Give the room back."""
        remove_placement_group(self.group)


async def reserve(
    resources: Resources, courses: int, job: str, timeout: float, role_label: str
) -> Placement:
    """Reserve room for all actors of a job at once; where there is a ``role_label``, on nodes that
    carry it with their role as its value.

    Raises TooLargeError with the arithmetic when the cluster cannot hold them, and ClusterError
    when it is full for longer than ``timeout`` seconds.
    """
    # Weights that travel as files lie in one node's shared memory.
    one_node = transfer_for(resources) == "file"
    needs = needs_on(resources, courses, one_node=one_node, label=role_label)
    check_fits(needs, [_labelled(node) for node in ray.nodes() if node["Alive"]])
    group = placement_group(
        list(needs.bundles),
        strategy="STRICT_PACK" if needs.one_node else "PACK",
        name=f"rkd:{job}",
        bundle_label_selector=needs.selectors if isinstance(needs, PlacedNeeds) else None,
    )
    if not await asyncio.to_thread(group.wait, timeout):
        free = ray.available_resources()
        remove_placement_group(group)
        raise ClusterError(
            f"the cluster had no room for job {job} within {timeout:.0f} s: it needs {needs}, "
            f"free in all are {free.get('CPU', 0):g} CPU and {free.get('GPU', 0):g} GPU"
        )
    return Placement(group, needs.bundles)


def check_fits(needs: Needs, nodes: Sequence[LabelledNode]) -> None:
    """Refuse a job that the whole cluster, empty, could not hold."""
    problem = scattered(needs) or shortfall(needs, [node.resources for node in nodes])
    if problem is None and isinstance(needs, PlacedNeeds):
        problem = label_shortfall(needs, nodes)
    if problem is not None:
        raise TooLargeError(problem)


def _labelled(node: Mapping[str, Any]) -> LabelledNode:
    return LabelledNode(node["Resources"], node["Labels"])
