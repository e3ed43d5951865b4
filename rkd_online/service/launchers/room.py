"""What a cluster has, and what of it is free."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rkd_online.spec.needs import KINDS, ROLES, Needs, Role, Share
from rkd_online.spec.placed import LabelledNode, PlacedNeeds


@dataclass(frozen=True, slots=True)
class Node:
    """One machine: what it offers of each kind, and what is taken of it."""

    total: Mapping[str, float]
    used: Mapping[str, float]

    def free(self, kind: str) -> float:
        """What nobody has taken."""
        return self.total.get(kind, 0.0) - self.used.get(kind, 0.0)


@dataclass(frozen=True, slots=True)
class Room:
    """The cluster's machines as it last told."""

    nodes: tuple[Node, ...]

    @property
    def totals(self) -> list[Mapping[str, float]]:
        """What each machine offers."""
        return [node.total for node in self.nodes]

    @property
    def endless(self) -> bool:
        """Whether the cluster has a queue of its own, which decides on room."""
        return any(math.isinf(total) for node in self.nodes for total in node.total.values())


def endless_room() -> Room:
    """Of a cluster that decides on room by itself."""
    return Room((Node(total=dict.fromkeys(KINDS, math.inf), used={}),))


@dataclass(frozen=True, slots=True)
class NodeOfRole(Node):
    """One machine whose labels say for which role it is."""

    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LabelledRoom(Room):
    """Room of a cluster whose nodes have a ``label`` by which roles are placed."""

    nodes: tuple[NodeOfRole, ...]
    label: str

    @property
    def labelled(self) -> list[LabelledNode]:
        """What each machine offers, and its labels."""
        return [LabelledNode(node.total, node.labels) for node in self.nodes]

    def of(self, role: Role) -> Room:
        """The machines of one role."""
        return Room(tuple(node for node in self.nodes if node.labels.get(self.label) == role))


def room_of(nodes: Sequence[NodeOfRole], label: str) -> Room:
    """The room that nodes are; labels count where ``label`` places roles."""
    if label:
        return LabelledRoom(tuple(nodes), label)
    return Room(tuple(Node(node.total, node.used) for node in nodes))


class Ledger:
    """Counts free room down while jobs are begun.

    A job that was begun a moment ago has not taken its room yet: what the cluster calls used and
    what our jobs have reserved is counted once, by the larger of the two.
    """

    def __init__(self, room: Room, reserved: Mapping[str, float], where: str = "") -> None:
        """``reserved`` is what the jobs that hold a place need, by kind."""
        self._room = room
        self._where = where
        self._free = {
            kind: sum(node.total.get(kind, 0.0) for node in room.nodes)
            - max(sum(node.used.get(kind, 0.0) for node in room.nodes), reserved.get(kind, 0.0))
            for kind in KINDS
        }

    def lack(self, needs: Needs) -> str | None:
        """Why a job has to wait; None where there is room."""
        for kind in KINDS:
            wanted, free = needs.total(kind), max(self._free[kind], 0.0)
            if wanted > free:
                lacks = f"{wanted:g} {kind}{self._where}, and {free:g} are free"
                return f"waits for room: it needs {lacks}"
            if needs.one_node and wanted > self._largest(kind):
                return (
                    f"waits for room: it needs {wanted:g} {kind} on one node, and the most that is "
                    f"free on one is {self._largest(kind):g}"
                )
        return None

    def take(self, needs: Needs) -> None:
        """A job is begun."""
        for kind in KINDS:
            self._free[kind] -= needs.total(kind)

    def _largest(self, kind: str) -> float:
        nodes: Sequence[Node] = self._room.nodes
        return max((node.free(kind) for node in nodes), default=0.0)


class RoleLedger(Ledger):
    """Counts the room of each role as well, whose actors go to its nodes alone."""

    def __init__(
        self,
        room: LabelledRoom,
        reserved: Mapping[str, float],
        by_role: Mapping[Role, Mapping[str, float]],
    ) -> None:
        """``by_role`` is what of ``reserved`` is on the nodes of each role."""
        super().__init__(room, reserved)
        self._roles = {
            role: Ledger(
                room.of(role), by_role.get(role, {}), f" on nodes with {room.label}={role}"
            )
            for role in ROLES
        }

    def lack(self, needs: Needs) -> str | None:
        """Why a job has to wait: for any nodes, or for those of a role."""
        problems = (self._roles[one.role].lack(_needs(one)) for one in _shares(needs))
        return super().lack(needs) or next((one for one in problems if one), None)

    def take(self, needs: Needs) -> None:
        """A job is begun."""
        super().take(needs)
        for one in _shares(needs):
            self._roles[one.role].take(_needs(one))


def _shares(needs: Needs) -> tuple[Share, ...]:
    return needs.shares if isinstance(needs, PlacedNeeds) else ()


def _needs(share: Share) -> Needs:
    return Needs((share.bundle,) * share.count, one_node=False)
