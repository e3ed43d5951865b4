"""What a rule is: a measure of the recent steps with two bounds, and what there is to say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rkd_online.run.advice.conditions import level
from rkd_online.run.advice.history import Seen

RECENT: Final = 10
"""Steps that stand for now: one step is noise."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``value`` of the last ``window`` values of ``metric``, once there are ``needs`` of them.

    A warning begins at ``bounds[0]``, unless one of ``unless`` holds it back, and is over at
    ``bounds[1]``; where that is the larger one, small values are bad. ``alike``: it compares steps
    whose problems have to be alike. ``says`` is a format of the value, what was ``seen`` and the
    ``field`` of the algorithm.
    """

    name: str
    metric: str
    bounds: tuple[float, float]
    says: str
    value: Callable[[Seen], float] = level
    window: int = RECENT
    needs: int = RECENT
    unless: tuple[Callable[[Seen], bool], ...] = ()
    alike: bool = False

    def bad(self, value: float) -> bool:
        """Whether a warning begins with this value."""
        begins, over = self.bounds
        return value <= begins if begins < over else value >= begins

    def over(self, value: float) -> bool:
        """Whether a warning that was said ends with this value."""
        begins, over = self.bounds
        return value >= over if begins < over else value <= over
