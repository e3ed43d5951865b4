"""The ends of workers' logs that a run keeps in its attempt's folder when it ends."""

import stat

from rkd_online.service.reading.job_files import JobFiles


def kept_log(files: JobFiles, attempt: int, worker: str, stream: str, lines: int) -> str | None:
    """The last lines of what was kept; None where nothing was. No link is followed."""
    name = f"{worker.replace(':', '.')}.{stream}"
    place = files.local(f"attempts/{attempt}/logs/{name}")
    try:
        regular = stat.S_ISREG(place.lstat().st_mode)
    except OSError:
        return None
    if not regular or place.parent.resolve() != place.parent:
        return None
    return "".join(place.read_text(errors="replace").splitlines(keepends=True)[-lines:])
