"""What a job's actors reserve on a cluster, and the arithmetic where it has too little."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from rkd_online.spec.resources import GeneratorResources, Resources, WorkerResources

Bundle = dict[str, float]
Role: TypeAlias = Literal["learner", "scorer", "generator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
KINDS: Final = ("CPU", "GPU")


@dataclass(frozen=True, slots=True)
class Share:
    """What the actors of one role need: so many of this bundle."""

    role: Role
    bundle: Bundle
    count: int

    def total(self, kind: str) -> float:
        """The sum over its actors."""
        return self.count * self.bundle.get(kind, 0.0)


@dataclass(frozen=True, slots=True)
class Needs:
    """A bundle for each actor: the learner's ranks, the scorers, the generators. ``one_node``:
    all of them on the same machine."""

    bundles: tuple[Bundle, ...]
    one_node: bool

    def total(self, kind: str) -> float:
        """The sum over all actors."""
        return sum(bundle.get(kind, 0.0) for bundle in self.bundles)

    def __str__(self) -> str:
        where = " on one node" if self.one_node else ""
        return f"{self.total('CPU'):g} CPU and {self.total('GPU'):g} GPU{where}"


def shares(resources: Resources, courses: int) -> tuple[Share, ...]:
    """What each role needs: the learner's ranks, the scorers of each course, the generators."""
    return (
        Share("learner", _bundle(resources.learner), resources.learner.ranks),
        Share("scorer", _bundle(resources.scorer), resources.scorer.count * courses),
        Share("generator", _bundle(resources.generator), resources.generator.count),
    )


def bundles(resources: Resources, courses: int) -> tuple[Bundle, ...]:
    """What each actor reserves: each rank of the learner, each scorer of each course, then each
    generator."""
    return tuple(one.bundle for one in shares(resources, courses) for _ in range(one.count))


def shortfall(needs: Needs, nodes: Sequence[Mapping[str, float]]) -> str | None:
    """Why the whole cluster, empty, could not hold a job; None where it could. One of ``one_node``
    is measured against the node with the most."""
    for kind in KINDS:
        parts = [bundle.get(kind, 0.0) for bundle in needs.bundles]
        offered = [node.get(kind, 0.0) for node in nodes]
        room = max(offered, default=0.0) if needs.one_node else sum(offered)
        if sum(parts) > room:
            where = "on one node, of which the largest" if needs.one_node else "and the cluster"
            return (
                f"the job needs {sum(parts):g} {kind} ({' + '.join(f'{part:g}' for part in parts)} "
                f"for learner ranks, scorers and generators) {where} has {room:g}: lower "
                "resources.*.cpus, .gpus, .count or .ranks, or add nodes"
            )
        if max(parts, default=0.0) > max(offered, default=0.0):
            return (
                f"an actor of the job needs {max(parts):g} {kind}, and the largest node has "
                f"{max(offered):g}: lower resources.*.cpus or .gpus, or add larger nodes"
            )
    return None


def _bundle(worker: WorkerResources | GeneratorResources) -> Bundle:
    return {"CPU": worker.cpus} | ({"GPU": worker.gpus} if worker.gpus else {})
