"""Where the records of a job come from: a data folder, or an object store by way of one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rkd_online.errors import RecordError
from rkd_online.export.choice import KnownJob, find_job
from rkd_online.objects.address import VARIABLE
from rkd_online.objects.checkpoints import CheckpointCopies
from rkd_online.objects.job import JobObjects
from rkd_online.objects.patience import RUN
from rkd_online.objects.store import ObjectStore
from rkd_online.run.fetching import pull_records


class Source(Protocol):
    """A job with its records; what is large is there when it was asked for."""

    @property
    def job(self) -> KnownJob:
        """The job."""
        ...

    def need_checkpoint(self, folder: Path) -> None:
        """Have all files of a checkpoint in its folder."""
        ...

    def need_rollouts(self) -> None:
        """Have the rollouts of all attempts, and a checkpoint, whose tokenizer their texts need."""
        ...


class InFolder:
    """A job of a data folder."""

    def __init__(self, job: KnownJob) -> None:
        self.job = job

    def need_checkpoint(self, folder: Path) -> None:
        """It is there."""

    def need_rollouts(self) -> None:
        """They are there."""


class FromStore:
    """A job of an object store, in a folder that is filled as needed."""

    def __init__(self, address: str, job: str, data: Path) -> None:
        self._objects = JobObjects(ObjectStore(address, RUN), job, data / "runs" / job)
        try:
            pull_records(self._objects)
        except FileNotFoundError:
            raise RecordError(f"there is no job {job!r} in {address} ({VARIABLE})") from None
        self.job = find_job(data, job)

    def need_checkpoint(self, folder: Path) -> None:
        """Fetched, and compared with its manifest."""
        CheckpointCopies(self._objects).pull(folder)

    def need_rollouts(self) -> None:
        """Fetched."""
        for number in self._objects.attempts():
            for path in self._objects.find(f"attempts/{number}/rollouts"):
                self._objects.pull(path)
        kept = self.job.run.checkpoints()
        if kept:
            self.need_checkpoint(kept[min(kept)])


@contextmanager
def records_of(data: Path, job: str) -> Iterator[Source]:
    """By the environment, but for a job that the data folder has. Raises RecordError where there is
    no such job."""
    address = os.environ.get(VARIABLE, "")
    if not address or (data / "runs" / job / "spec.json").is_file():
        yield InFolder(find_job(data, job))
        return
    with tempfile.TemporaryDirectory(prefix="rkd-export-") as folder:
        yield FromStore(address, job, Path(folder))
