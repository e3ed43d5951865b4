"""Where the records of a run on a cluster go: a folder that all nodes see, or an object store."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from rkd_online.errors import ObjectStoreError, ObjectStoreSetupError
from rkd_online.metrics.sinks import Sink
from rkd_online.objects.address import VARIABLE
from rkd_online.objects.checkpoints import LearnerCopies
from rkd_online.objects.held_folder import sweep
from rkd_online.objects.job import JobObjects, learner_folder, scratch_folder
from rkd_online.objects.outbox import Outbox
from rkd_online.objects.patience import BRIEF, RUN, Patience
from rkd_online.objects.store import ObjectStore
from rkd_online.run.fetching import pull_records
from rkd_online.run.records import RunFolder, data_dir
from rkd_online.run.shelf import DISK, Shelf, StoreShelf

END_SECONDS: Final = 120.0
"""Time for the last records."""

log = logging.getLogger(__name__)

Tell = Callable[[str], None]


class Keeping(Protocol):
    """What the driver of an attempt does about its records."""

    @property
    def shelf(self) -> Shelf:
        """For its checkpoints, once it is open."""
        ...

    def open(self, tell: Tell) -> list[Sink]:
        """Have on this node what the attempt begins with. Gives what wants to hear of its steps."""
        ...

    def finish(self) -> None:
        """Wait until the records can be read. Raises ObjectStoreError where they cannot."""
        ...

    def leave(self) -> None:
        """The very last: nothing more is written."""
        ...


class OnDisk:
    """A folder that all nodes see: what is written is kept."""

    shelf: Shelf = DISK

    def open(self, tell: Tell) -> list[Sink]:
        """All is there."""
        return []

    def finish(self) -> None:
        """All is there."""

    def leave(self) -> None:
        """All is there."""


class InStore:
    """An object store. This node begins with what is in it, and nothing else."""

    def __init__(self, folder: RunFolder, attempt: int, address: str) -> None:
        self._folder = folder
        self._attempt = attempt
        self._address = address
        self._is_scratch = folder.path == data_dir() / scratch_folder(folder.path.name)
        if self._is_scratch:
            # Before anybody writes there; the store is for `open`, whose errors are reported.
            shutil.rmtree(folder.path, ignore_errors=True)
        self._outbox: Outbox | None = None
        self._shelf: Shelf | None = None
        self._all_sent = False

    @property
    def shelf(self) -> Shelf:
        """In the store."""
        assert self._shelf is not None
        return self._shelf

    def open(self, tell: Tell) -> list[Sink]:
        """Pull the spec, what was measured, the steps of earlier attempts and what there is of
        checkpoints. Raises ObjectStoreError."""
        if not self._is_scratch:
            # What is in any other folder may be all that there is of the job.
            raise ObjectStoreSetupError(
                f"{VARIABLE} is set on this node, but the control plane works with the folder "
                f"{self._folder.path}: set it for both or for none"
            )
        patient, brief = (_objects(self._address, self._folder.path, one) for one in (RUN, BRIEF))
        try:
            pull_records(patient)
        except FileNotFoundError:
            raise ObjectStoreSetupError(
                f"{patient} has no spec.json: does {VARIABLE} of the control plane and of "
                "this node name the same place?"
            ) from None
        self._outbox = Outbox(brief, self._attempt, tell)
        self._shelf = StoreShelf(patient, self._outbox, tell)
        return [self._outbox]

    def finish(self) -> None:
        """Wait for the last records."""
        if self._outbox is not None:
            self._outbox.flush(END_SECONDS)
            self._all_sent = True

    def leave(self) -> None:
        """Store what was not sent to the control plane. Where all is stored this node keeps
        nothing."""
        if self._outbox is None:
            return
        self._outbox.close()
        try:
            self._outbox.leave()
        except ObjectStoreError as error:
            log.warning("the last records stay in %s: %s", self._folder.path, error)
        else:
            if self._all_sent:
                shutil.rmtree(self._folder.path, ignore_errors=True)


def keeping_of(folder: RunFolder, attempt: int) -> Keeping:
    """By the environment, which the administrator sets."""
    address = os.environ.get(VARIABLE, "")
    return InStore(folder, attempt, address) if address else OnDisk()


def checkpoint_copies(job: str, attempt: int) -> LearnerCopies | None:
    """A learner's way to checkpoints, by the environment of its node; None where all nodes see one
    folder. What learners that were killed left on this node goes now."""
    address = os.environ.get(VARIABLE, "")
    if not address:
        return None
    folder = data_dir() / learner_folder(job, attempt)
    sweep(folder.parent)
    return LearnerCopies(JobObjects(ObjectStore(address, RUN), job, folder))


def _objects(address: str, folder: Path, patience: Patience) -> JobObjects:
    return JobObjects(ObjectStore(address, patience), folder.name, folder)
