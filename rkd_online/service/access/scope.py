"""What a key allows."""

from enum import StrEnum


class Scope(StrEnum):
    """Each allows what those before it do."""

    VIEWER = "viewer"
    SUBMITTER = "submitter"
    ADMIN = "admin"

    def covers(self, other: "Scope") -> bool:
        """Whether this scope allows what ``other`` does."""
        order = list(Scope)
        return order.index(self) >= order.index(other)
