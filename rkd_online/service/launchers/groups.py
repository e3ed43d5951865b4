"""Groups of nodes that an autoscaler adds and removes, and the room that all of them would be."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt

from rkd_online.service.launchers.room import Node, NodeOfRole, Room, room_of
from rkd_online.spec.needs import Role


class NodeGroup(BaseModel):
    """Nodes of one size."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nodes: PositiveInt
    """As many as there can be at the same time."""
    cpus: NonNegativeFloat
    """What each offers."""
    gpus: NonNegativeFloat = 0.0
    """What each offers."""
    role: Role | Literal[""] = ""
    """The value of the label by which roles are placed; empty is none."""

    @property
    def offer(self) -> dict[str, float]:
        """One node's, by kind."""
        return {"CPU": self.cpus, "GPU": self.gpus}

    def labels(self, label: str) -> dict[str, str]:
        """Each node's, of that label."""
        return {label: self.role} if label and self.role else {}


def grown_room(groups: tuple[NodeGroup, ...], label: str, there: Sequence[Node] = ()) -> Room:
    """Every node that there can be: those that are ``there`` with what is taken of them, the others
    empty, since they come when a run asks for them. ``label`` places roles; empty is none."""
    left = list(there)
    nodes = [
        NodeOfRole(group.offer, _used(group, label, left), group.labels(label))
        for group in groups
        for _ in range(group.nodes)
    ]
    return room_of(nodes, label)


def _used(group: NodeGroup, label: str, left: list[Node]) -> Mapping[str, float]:
    """What is taken of a node that looks like one of the group, which is then counted."""
    for node in left:
        labels = node.labels if isinstance(node, NodeOfRole) else {}
        alike = all(node.total.get(kind, 0.0) == amount for kind, amount in group.offer.items())
        if alike and labels.get(label, "") == group.labels(label).get(label, ""):
            left.remove(node)
            return node.used
    return {}
