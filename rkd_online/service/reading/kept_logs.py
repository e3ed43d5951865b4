"""The ends of workers' logs that a run keeps in its attempt's folder when it ends."""

import os
import stat
from pathlib import Path

from rkd_online.log_end import MOST_BYTES, LogEnd, readable
from rkd_online.service.reading.job_files import JobFiles


def kept_log(files: JobFiles, attempt: int, worker: str, stream: str, lines: int) -> str | None:
    """The last lines of what was kept; None where nothing was. No link is followed."""
    name = f"{worker.replace(':', '.')}.{stream}"
    place = files.local(f"attempts/{attempt}/logs/{name}")
    if place.parent.resolve() != place.parent:
        return None
    try:
        text = _end(place)
    except OSError:
        return None
    if text is None:
        return None
    return "".join(readable(text).splitlines(keepends=True)[-lines:])


def _end(place: Path) -> str | None:
    """None for what is no regular file. A run can write whatever it likes there, of any size."""
    opened = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            return None
        # One byte more tells that there is more.
        file.seek(max(0, found.st_size - MOST_BYTES - 1))
        end = LogEnd()
        end.add(file.read(MOST_BYTES + 1))
        return end.text()
