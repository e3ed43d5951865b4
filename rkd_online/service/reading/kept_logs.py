"""The ends of workers' logs that a run keeps in its attempt's folder when it ends."""

from pathlib import Path

from rkd_online.service.reading.folder import entries


def kept_log(job: Path, attempt: int, worker: str, stream: str, lines: int) -> str | None:
    """The last lines of what was kept; None where nothing was. No link is followed."""
    name = f"{worker.replace(':', '.')}.{stream}"
    for entry in entries(job / "attempts" / str(attempt) / "logs"):
        if entry.name == name and entry.is_file(follow_symlinks=False):
            text = Path(entry.path).read_text(errors="replace")
            return "".join(text.splitlines(keepends=True)[-lines:])
    return None
