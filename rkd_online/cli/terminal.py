"""A terminal kept for ourselves while libraries print into a file."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from rkd_online.errors import RkdError

OUTPUTS = (1, 2)


@contextmanager
def own_terminal(log: Path) -> Iterator[Console]:
    """A console on what is standard output now; all else that this process prints goes to ``log``.

    vLLM and torch print from C++ and from threads, past Python's own streams: only at the file
    descriptors can they be kept from breaking a live display.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    kept = [os.dup(output) for output in OUTPUTS]
    try:
        with log.open("ab") as file:
            for output in OUTPUTS:
                os.dup2(file.fileno(), output)
        with os.fdopen(os.dup(kept[0]), "w", encoding="utf-8") as terminal:
            yield Console(file=terminal)
    except Exception as error:
        if not isinstance(error, RkdError):
            error.add_note(f"What libraries printed before is in {log}")
        raise
    finally:
        _flush()
        for output, old in zip(OUTPUTS, kept, strict=True):
            os.dup2(old, output)
            os.close(old)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
