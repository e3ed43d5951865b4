"""Where the rollouts of a job lie, and what names one of them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from rkd_online.service.reading.folder import attempts, by_step

MOST_GROUP: Final = 2**63 - 1
MOST_SIBLING: Final = 2**31 - 1
_ID: Final = re.compile(r"(0|[1-9]\d{0,9})-(0|[1-9]\d{0,18})-(0|[1-9]\d{0,9})", re.ASCII)


class RolloutId(NamedTuple):
    """The step that learned from a rollout, its group and its place among its siblings."""

    step: int
    group: int
    sibling: int

    def __str__(self) -> str:
        return f"{self.step}-{self.group}-{self.sibling}"


@dataclass(frozen=True, slots=True)
class RolloutFile:
    """The rollouts of one step, in the order of their groups and places."""

    step: int
    attempt: int
    path: Path


def parse_id(text: str) -> RolloutId | None:
    """The id; None for what is none."""
    found = _ID.fullmatch(text)
    if found is None:
        return None
    one = RolloutId(*map(int, found.groups()))
    return one if one.group <= MOST_GROUP and one.sibling <= MOST_SIBLING else None


def rollout_files(job: Path) -> dict[int, RolloutFile]:
    """The record of each step, in order. What an attempt did after the step from which the next one
    went on does not count."""
    found: dict[int, RolloutFile] = {}
    for attempt, folder in attempts(job):
        own = by_step(folder / "rollouts", ".parquet")
        first = min(own, default=None)
        if first is not None:
            kept = {step: one for step, one in found.items() if step < first}
            found = kept | {step: RolloutFile(step, attempt, path) for step, path in own.items()}
    return found
