"""Actors that go to nodes which carry a label for their role, and whether such nodes have room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rkd_online.spec.needs import KINDS, Needs, Share, bundles, shares
from rkd_online.spec.resources import Resources


@dataclass(frozen=True, slots=True)
class PlacedNeeds(Needs):
    """Needs whose bundles go to nodes with ``label`` = the role of the share that they are of."""

    label: str
    shares: tuple[Share, ...]

    @property
    def selectors(self) -> list[dict[str, str]]:
        """What each bundle asks of its node."""
        return [{self.label: one.role} for one in self.shares for _ in range(one.count)]


@dataclass(frozen=True, slots=True)
class LabelledNode:
    """What a node offers, and its labels."""

    resources: Mapping[str, float]
    labels: Mapping[str, str]


def needs_on(resources: Resources, courses: int, *, one_node: bool, label: str) -> Needs:
    """What a job needs; by the labels of nodes, where there is a label for roles."""
    parts = shares(resources, courses)
    wanted = bundles(resources, courses)
    if not label:
        return Needs(wanted, one_node)
    return PlacedNeeds(wanted, one_node, label, parts)


def scattered(needs: Needs) -> str | None:
    """Why actors that have to be on one node cannot be; None where they can, or need not."""
    if not (needs.one_node and isinstance(needs, PlacedNeeds)):
        return None
    return (
        "the weights of a job on cpu travel as files, so that all its actors have to be on one "
        f"node, and RKD_ROLE_LABEL, {needs.label}, sends each role to nodes of its own: set "
        "resources.device to cuda, or have RKD_ROLE_LABEL unset"
    )


def label_shortfall(needs: PlacedNeeds, nodes: Sequence[LabelledNode]) -> str | None:
    """Why the nodes of a role, empty, could not hold its actors; None where they could."""
    for share in needs.shares:
        mine = [node for node in nodes if node.labels.get(needs.label) == share.role]
        for kind in KINDS:
            wanted = share.total(kind)
            offered = sum(node.resources.get(kind, 0.0) for node in mine)
            if wanted > offered:
                return (
                    f"the {share.role} of the job needs {wanted:g} {kind} ({share.count} x "
                    f"{share.bundle[kind]:g}), and the {len(mine)} nodes with the label "
                    f"{needs.label}={share.role} have {offered:g}: lower resources.{share.role}, "
                    "or give that role more nodes"
                )
            largest = max((node.resources.get(kind, 0.0) for node in mine), default=0.0)
            if share.count and share.bundle.get(kind, 0.0) > largest:
                return (
                    f"each {share.role} of the job needs {share.bundle[kind]:g} {kind}, and the "
                    f"largest node with the label {needs.label}={share.role} has {largest:g}: "
                    f"lower resources.{share.role}, or give that role larger nodes"
                )
    return None
