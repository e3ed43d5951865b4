"""Where checkpoints stay once the learner has written them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from rkd_online.errors import ObjectStoreError
from rkd_online.files import MANIFEST, step_of
from rkd_online.learning.retention import kept_steps, prune
from rkd_online.objects.job import JobObjects
from rkd_online.objects.leftovers import remove_half_stored
from rkd_online.objects.outbox import Outbox

FLUSH_SECONDS: Final = 300.0


class Shelf(Protocol):
    """Holds the checkpoints of an attempt, each in its folder."""

    async def take(self, folder: Path) -> None:
        """A checkpoint is written; when this returns it counts."""
        ...

    async def prune(self, folder: Path, *, keep: int, best: int) -> None:
        """Of those in ``folder`` keep step 0, step ``best`` and the ``keep`` newest."""
        ...


class DiskShelf:
    """A folder that all nodes see."""

    async def take(self, folder: Path) -> None:
        """It lies where it was written."""

    async def prune(self, folder: Path, *, keep: int, best: int) -> None:
        """Delete what is not kept."""
        prune(folder, keep=keep, best=best)


DISK: Final = DiskShelf()


class StoreShelf:
    """An object store, into which the learner has put the files. The driver, which may be on
    another node, has the manifests alone."""

    def __init__(self, objects: JobObjects, outbox: Outbox, tell: Callable[[str], None]) -> None:
        self._objects = objects
        self._outbox = outbox
        self._tell = tell

    async def take(self, folder: Path) -> None:
        """A run that goes on from here needs the records of the steps before it, too.

        Raises ObjectStoreError where the store lacks the one or the other.
        """
        path = folder.relative_to(self._objects.folder) / MANIFEST
        try:
            await asyncio.to_thread(self._objects.pull, path)
        except FileNotFoundError:
            raise ObjectStoreError(
                f"the learner wrote {self._objects}/{path}, but the store does not have it"
            ) from None
        await asyncio.to_thread(self._outbox.flush, FLUSH_SECONDS)

    async def prune(self, folder: Path, *, keep: int, best: int) -> None:
        """And what earlier attempts stored by half. What cannot be deleted now is deleted behind
        the next checkpoint."""
        prune(folder, keep=keep, best=best)
        base = folder.relative_to(self._objects.folder)
        try:
            await asyncio.to_thread(self._prune, str(base), keep, best)
        except ObjectStoreError as error:
            self._tell(f"old checkpoints stay for now: {error}")

    def _prune(self, base: str, keep: int, best: int) -> None:
        found: dict[int, list[str]] = defaultdict(list)
        stored = self._objects.find(base)
        for path in stored:
            step = step_of(path.removeprefix(f"{base}/").split("/")[0])
            if step is not None:
                found[step].append(path)
        whole = [step for step, paths in found.items() if any(map(_is_manifest, paths))]
        kept = kept_steps(whole, keep=keep, best=best)
        for step in found.keys() - kept:
            # Without its manifest it counts no more, whatever comes of the rest.
            self._objects.remove(sorted(found[step], key=lambda path: not _is_manifest(path)))
        if stored:
            now = max(one.modified for one in stored.values())
            remove_half_stored(self._objects, int(base.split("/")[1]), now)


def _is_manifest(path: str) -> bool:
    return path.rpartition("/")[2] == MANIFEST
