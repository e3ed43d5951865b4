"""The folder of a job as it lies on a disk that runs write to: no link in it is followed."""

import os
from pathlib import Path

from rkd_online.files import step_of


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder; nothing where it is absent or a link."""
    if folder.is_symlink():
        return []
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def attempts(job: Path) -> list[tuple[int, Path]]:
    """Number and folder of every attempt that has written something, oldest first."""
    return sorted(
        (int(entry.name), Path(entry.path))
        for entry in entries(job / "attempts")
        if entry.name.isdecimal()
        and entry.name == str(int(entry.name))
        and entry.is_dir(follow_symlinks=False)
    )


def by_step(folder: Path, suffix: str = "") -> dict[int, Path]:
    """What has the name of a step, in the order of steps."""
    found = ((step_of(one.name, suffix), one) for one in entries(folder) if not one.is_symlink())
    return dict(sorted((step, Path(one.path)) for step, one in found if step is not None))
