"""Where the rollouts of a job lie, and what names one of them."""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from rkd_online.files import PARQUET, step_name
from rkd_online.service.reading.job_files import JobFiles

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
    path: str
    """Below the job's folder."""


def parse_id(text: str) -> RolloutId | None:
    """The id; None for what is none."""
    found = _ID.fullmatch(text)
    if found is None:
        return None
    one = RolloutId(*map(int, found.groups()))
    return one if one.group <= MOST_GROUP and one.sibling <= MOST_SIBLING else None


def rollout_files(job: JobFiles) -> dict[int, RolloutFile]:
    """The record of each step, in order. What an attempt did after the step from which the next one
    went on does not count."""
    found: dict[int, RolloutFile] = {}
    for attempt in job.attempts():
        own = [_file(attempt, step) for step in job.rollout_steps(attempt)]
        if own:
            kept = {step: one for step, one in found.items() if step < own[0].step}
            found = kept | {one.step: one for one in own}
    return found


def _file(attempt: int, step: int) -> RolloutFile:
    path = f"attempts/{attempt}/rollouts/{step_name(step, PARQUET)}"
    return RolloutFile(step, attempt, path)
