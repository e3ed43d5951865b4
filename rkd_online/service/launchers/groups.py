"""Groups of nodes that an autoscaler adds and removes, and the room that all of them would be."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt

from rkd_online.service.launchers.room import LabelledRoom, Node, NodeOfRole, Room
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


def grown_room(groups: tuple[NodeGroup, ...], label: str) -> Room:
    """Every node that there can be, empty: what our own jobs take of it is known, and nodes for
    them come when they have begun. ``label`` places roles; empty is none."""
    nodes = [(group, group.offer) for group in groups for _ in range(group.nodes)]
    if not label:
        return Room(tuple(Node(offer, {}) for _, offer in nodes))
    labelled = (
        NodeOfRole(offer, {}, {label: group.role} if group.role else {}) for group, offer in nodes
    )
    return LabelledRoom(tuple(labelled), label)
