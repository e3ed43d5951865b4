"""The folder of a job as it lies on a disk that runs write to: no link in it is followed."""

import os
from pathlib import Path


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
    """What is called ``step-N`` and the suffix, by N in ascending order."""
    found = {}
    for entry in entries(folder):
        number = entry.name.removeprefix("step-").removesuffix(suffix)
        if not number.isdecimal() or entry.is_symlink():
            continue
        if entry.name == f"step-{int(number):06d}{suffix}":
            found[int(number)] = Path(entry.path)
    return dict(sorted(found.items()))
