"""A folder that one process at a time may use."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def exclusive(file: Path) -> Iterator[bool]:
    """Hold the lock of ``file`` over the block; gives False where another process holds it.

    The system ends the hold with the process, however that ends.
    """
    with file.open("a") as handle:
        yield taken(handle)


def taken(handle: IO[str]) -> bool:
    """Take the lock of an open file for as long as it is open; False where somebody has it."""
    return _locked(handle, fcntl.LOCK_EX)


def shared(handle: IO[str]) -> bool:
    """The same, together with others who share it; False where somebody has it alone."""
    return _locked(handle, fcntl.LOCK_SH)


def _locked(handle: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
