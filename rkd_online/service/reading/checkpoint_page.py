"""Checkpoints with what is known of each, a page at a time."""

from datetime import UTC, datetime
from itertools import islice

from rkd_online.files import MANIFEST
from rkd_online.service.reading.checkpoints import SavedCheckpoint, files_of, saved_checkpoints
from rkd_online.service.reading.evaluations import Evaluations, named_checkpoints
from rkd_online.service.reading.job_files import JobFiles
from rkd_online.service.schemas.checkpoint import CheckpointRecord


def checkpoint_page(
    job: JobFiles, accepted: str | None, after: tuple[int, int] | None, limit: int
) -> list[CheckpointRecord]:
    """The checkpoints behind attempt and step ``after``, newest first. ``accepted`` is the path of
    the one that the job would go on from."""
    describe = _Describing(job, accepted)
    found = (
        describe.record(one)
        for one in describe.saved
        if after is None or (one.attempt, one.step) < after
    )
    return list(islice((one for one in found if one is not None), limit))


class _Describing:
    """What the records of one page have in common."""

    def __init__(self, job: JobFiles, accepted: str | None) -> None:
        self.saved = saved_checkpoints(job)
        self._latest = {one.step: one for one in reversed(self.saved)}
        self._accepted = accepted
        self._named = named_checkpoints(job)
        self._evaluations = Evaluations(job)

    def record(self, one: SavedCheckpoint) -> CheckpointRecord | None:
        """None where its run has deleted it meanwhile."""
        files = {file.path: file for file in files_of(one)}
        if MANIFEST not in files:
            return None
        return CheckpointRecord(
            name=one.name,
            attempt=one.attempt,
            step=one.step,
            path=one.path,
            written_at=datetime.fromtimestamp(files[MANIFEST].modified_ns / 1e9, UTC),
            files=len(files),
            bytes=sum(file.size for file in files.values()),
            resumes=one.path == self._accepted,
            last=None if self._named is None else one.path == self._named.last,
            best=None if self._named is None else one.path == self._named.best,
            # What is measured again of a step replaces what was measured before.
            evaluations=(
                list(self._evaluations.of(one.step)) if self._latest[one.step] == one else []
            ),
        )
