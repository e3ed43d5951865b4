"""A job's rollouts as pages and one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from rkd_online.service.reading import rollout_table
from rkd_online.service.reading.job_files import JobFiles
from rkd_online.service.reading.rollout_files import (
    MOST_GROUP,
    MOST_SIBLING,
    RolloutFile,
    RolloutId,
    rollout_files,
)
from rkd_online.service.reading.rollout_table import STREAMS, Wanted
from rkd_online.service.schemas.rollout import RolloutRecord, RolloutTokens

MOST_ROWS: Final = 20_000
MOST_FILES: Final = 200
"""What one page looks at: behind that it ends, with what it has found."""


@dataclass(frozen=True, slots=True)
class RolloutPage:
    """Some rollouts, and the one behind which the next page begins; None behind the last."""

    rows: list[RolloutRecord]
    next: RolloutId | None


def rollout_page(job: JobFiles, wanted: Wanted, after: RolloutId | None, limit: int) -> RolloutPage:
    """The rollouts behind ``after``, newest step first. A page that looks for what is rare ends
    before it is full, and has a next one all the same."""
    rows: list[RolloutRecord] = []
    search = _Search(wanted, after)
    for file, row in search.rows(job):
        if len(rows) == limit:
            return RolloutPage(rows, RolloutId(rows[-1].step, rows[-1].group, rows[-1].index))
        rows.append(RolloutRecord(**_record(file, row)))
    return RolloutPage(rows, search.place if search.tired else None)


def find_rollout(job: JobFiles, wanted: RolloutId) -> RolloutTokens | None:
    """One rollout with its tokens; None where there is none of this id."""
    file = rollout_files(job).get(wanted.step)
    if file is None:
        return None
    with rollout_table.opened(job.local(file.path)) as table:
        row = table.find(wanted.group, wanted.sibling)
    if row is None:
        return None
    return RolloutTokens(**_record(file, row), **{name: row[name] for name in STREAMS})


class _Search:
    """Goes through the files of a job, and remembers how far it got."""

    def __init__(self, wanted: Wanted, after: RolloutId | None) -> None:
        self.place = after
        """The rollout that was looked at last."""
        self._wanted = wanted
        self._after = after
        self._rows = 0
        self._files = 0

    @property
    def tired(self) -> bool:
        """Whether it has looked at enough for one page."""
        return self._rows >= MOST_ROWS or self._files >= MOST_FILES

    def rows(self, job: JobFiles) -> Iterator[tuple[RolloutFile, dict[str, Any]]]:
        """What matches, until there is no more or enough was looked at."""
        for file in self._begun(job):
            with rollout_table.opened(job.local(file.path)) as table:
                after = self._after_in(file.step)
                for batch in table.batches(self._wanted, after):
                    yield from ((file, row) for row in batch.rows)
                    self._rows += batch.looked
                    self.place = RolloutId(file.step, *batch.last)
                    if self.tired:
                        return
            self.place = RolloutId(file.step, MOST_GROUP, MOST_SIBLING)
            self._files += 1
            if self.tired:
                return

    def _begun(self, job: JobFiles) -> Iterator[RolloutFile]:
        """Newest step first; the first one may have been read in part."""
        found = rollout_files(job)
        for step in sorted(found, reverse=True):
            if self._wanted.has_step(step) and not self._is_done(step):
                yield found[step]

    def _is_done(self, step: int) -> bool:
        end = (step, MOST_GROUP, MOST_SIBLING)
        return self._after is not None and (step > self._after.step or self._after == end)

    def _after_in(self, step: int) -> tuple[int, int] | None:
        after = self._after
        return (after.group, after.sibling) if after is not None and after.step == step else None


def _record(file: RolloutFile, row: dict[str, Any]) -> dict[str, Any]:
    parts, spans = row["reward_parts"], row["weight_versions"]
    plain = {name: row[name] for name in rollout_table.PLAIN}
    return plain | {
        "id": str(RolloutId(file.step, row["group_id"], row["index"])),
        "step": file.step,
        "attempt": file.attempt,
        "group": row["group_id"],
        "prompt": row.get("prompt"),
        "completion": row.get("completion"),
        "prompt_tokens": row["prompt_tokens"],
        # The spans cover every token, and are a fraction of the tokens' size.
        "completion_tokens": spans[-1]["end"] if spans else 0,
        "reward_parts": None if parts is None else dict(parts),
    }
