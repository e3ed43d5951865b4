"""The rewards that installed packages offer, found without importing any of them."""

from importlib.metadata import EntryPoint, entry_points
from typing import Final

GROUP: Final = "rkd_online.rewards"


def installed_rewards() -> dict[str, list[EntryPoint]]:
    """Entry points of the group by name; several under one name lead to different objects."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, {})[point.value] = point
    return {name: list(points.values()) for name, points in sorted(found.items())}
