"""How long an object store may fail before that is an error."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from rkd_online.errors import ObjectStoreError

T = TypeVar("T")

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 15.0
FINAL: Final = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
"""Answers that another try would get again."""

DEFECTS: Final = (AttributeError, NameError, TypeError)
"""Of a program, not of a store: they are raised as they are, at once."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """Tries again until ``seconds`` have passed since the first failure; waits are doubled."""

    seconds: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def call(self, what: str, work: Callable[[], T]) -> T:
        """What ``work`` gives in the end. Raises ObjectStoreError that names ``what``; an object
        that is not there is a FileNotFoundError at once, and a program's defect itself."""
        since: float | None = None
        wait = FIRST_WAIT
        while True:
            try:
                return work()
            except FileNotFoundError:
                raise
            except Exception as error:  # every scheme has kinds of its own
                if _is_defect(error):
                    raise
                now = self.clock()
                since = now if since is None else since
                if isinstance(error, FINAL):
                    raise ObjectStoreError(f"{what}: the store refuses: {error}") from error
                if now - since + wait > self.seconds:
                    raise ObjectStoreError(
                        f"{what}: failed for {now - since:.0f} s, at last with "
                        f"{type(error).__name__}: {error}"
                    ) from error
                log.warning("%s: %s: %s; trying again", what, type(error).__name__, error)
            self.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)


def _is_defect(error: Exception) -> bool:
    """A connection that closes under a library shows as a part of it that is None, or as an
    assertion."""
    return isinstance(error, DEFECTS) and "'NoneType'" not in str(error)


RUN: Final = Patience(300.0)
"""Of what a run cannot go on without: hours of work are worth a wait."""
BRIEF: Final = Patience(8.0)
"""Where somebody waits for the answer, or tries again by himself."""
