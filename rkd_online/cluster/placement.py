"""Room for a job's actors: all of it or none, with the arithmetic when there is none."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group

from rkd_online.errors import ClusterError, TooLargeError
from rkd_online.spec.resources import GeneratorResources, Resources, WorkerResources
from rkd_online.weights.transfer import transfer_for

Bundle = dict[str, float]


@dataclass(frozen=True, slots=True)
class Placement:
    """A reserved placement group: bundles of the learner's ranks, the scorers, the generators."""

    group: PlacementGroup
    bundles: tuple[Bundle, ...]

    def release(self) -> None:
        """Give the room back."""
        remove_placement_group(self.group)


def bundles(resources: Resources, courses: int) -> tuple[Bundle, ...]:
    """What each actor reserves: each rank of the learner, each scorer of each course, then each
    generator."""
    learners = [_bundle(resources.learner)] * resources.learner.ranks
    scorers = [_bundle(resources.scorer)] * (resources.scorer.count * courses)
    generators = [_bundle(resources.generator)] * resources.generator.count
    return (*learners, *scorers, *generators)


def _bundle(worker: WorkerResources | GeneratorResources) -> Bundle:
    return {"CPU": worker.cpus} | ({"GPU": worker.gpus} if worker.gpus else {})


async def reserve(resources: Resources, courses: int, job: str, timeout: float) -> Placement:
    """Reserve room for all actors of a job at once.

    Raises TooLargeError with the arithmetic when the cluster cannot hold them, and ClusterError
    when it is full for longer than ``timeout`` seconds.
    """
    wanted = bundles(resources, courses)
    # Weights that travel as files lie in one node's shared memory.
    one_node = transfer_for(resources) == "file"
    check_fits(wanted, [node["Resources"] for node in ray.nodes() if node["Alive"]], one_node)
    strategy = "STRICT_PACK" if one_node else "PACK"
    group = placement_group(list(wanted), strategy=strategy, name=f"rkd:{job}")
    if not await asyncio.to_thread(group.wait, timeout):
        free = ray.available_resources()
        remove_placement_group(group)
        raise ClusterError(
            f"the cluster had no room for job {job} within {timeout:.0f} s: it needs "
            f"{_sums(wanted)}{' on one node' if one_node else ''}, free in all are "
            f"{free.get('CPU', 0):g} CPU and {free.get('GPU', 0):g} GPU"
        )
    return Placement(group, wanted)


def check_fits(
    wanted: tuple[Bundle, ...], nodes: Sequence[Mapping[str, float]], one_node: bool
) -> None:
    """Refuse a job that the whole cluster, empty, could not hold; one of ``one_node`` is measured
    against the node with the most."""
    for name in ("CPU", "GPU"):
        parts = [bundle.get(name, 0.0) for bundle in wanted]
        offered = [node.get(name, 0.0) for node in nodes]
        room = max(offered, default=0.0) if one_node else sum(offered)
        if sum(parts) > room:
            where = "on one node, of which the largest" if one_node else "and the cluster"
            raise TooLargeError(
                f"the job needs {sum(parts):g} {name} ({' + '.join(f'{part:g}' for part in parts)} "
                f"for learner ranks, scorers and generators) {where} has {room:g}: lower "
                "resources.*.cpus, .gpus, .count or .ranks, or add nodes"
            )


def _sums(wanted: tuple[Bundle, ...]) -> str:
    totals = {name: sum(bundle.get(name, 0.0) for bundle in wanted) for name in ("CPU", "GPU")}
    return f"{totals['CPU']:g} CPU and {totals['GPU']:g} GPU"
