"""A folder of this node that some of its processes work in, removed when none of them is left."""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from rkd_online.errors import ObjectStoreError
from rkd_online.locks import shared, taken

LOCK: Final = ".lock"
"""Added to the folder's name: a file beside it."""
WAIT_SECONDS: Final = 60.0


class HeldFolder:
    """Is held until ``leave``, or until this process ends, however that ends."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = _held(path.with_name(f"{path.name}{LOCK}"))

    def leave(self) -> None:
        """Hold it no longer. The last of its holders removes it, and what dead ones left beside
        it."""
        self._lock.close()
        sweep(self._path.parent)


def sweep(base: Path) -> None:
    """Remove the folders below ``base`` that nobody holds."""
    for lock in sorted(base.glob(f"*{LOCK}")):
        with suppress(FileNotFoundError), lock.open("r+") as handle:
            # One that another process has just removed may be there anew, with a holder.
            if taken(handle) and _is_at(lock, handle):
                folder = lock.with_name(lock.name.removesuffix(LOCK))
                shutil.rmtree(folder, ignore_errors=True)
                # What could not be removed is found again by its lock.
                if not folder.exists():
                    lock.unlink(missing_ok=True)


def _held(lock: Path) -> IO[str]:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        handle = lock.open("a")
        if shared(handle) and _is_at(lock, handle):
            return handle
        handle.close()
        if time.monotonic() > deadline:
            raise ObjectStoreError(
                f"waited {WAIT_SECONDS:.0f} s for another process of this node to remove what an "
                f"earlier one left beside {lock}"
            )
        time.sleep(0.05)


def _is_at(lock: Path, handle: IO[str]) -> bool:
    """Whether the open file is still the one of this name."""
    try:
        return os.path.samestat(lock.stat(), os.fstat(handle.fileno()))
    except FileNotFoundError:
        return False
