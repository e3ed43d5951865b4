"""What lies in a folder that a job names: plain files, and links that do not lead away."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rkd_online.service.safety.folders import resolved

MOST_ENTRIES: Final = 10_000
"""A model or a store has far fewer; looking at more would keep others waiting."""


def tree_problem(folder: Path, admits: Callable[[Path], bool]) -> str | None:
    """What of a folder a job must not be given, with what is wrong; None where all is well.

    ``admits`` says of a resolved path whether a job may name it. A folder that is not there has
    nothing wrong in it.
    """
    try:
        return _stray(folder, admits)
    except OSError:
        return "has parts that cannot be looked at"


def _stray(folder: Path, admits: Callable[[Path], bool]) -> str | None:
    seen: set[Path] = set()
    waiting = [folder]
    entries = 0
    while waiting:
        for entry in _entries(waiting.pop()):
            entries += 1
            name = os.path.relpath(entry, folder)
            if entries > MOST_ENTRIES:
                return f"has more than {MOST_ENTRIES} files"
            real = resolved(entry)
            if real is None or not admits(real):
                return f"has {name!r}, which leads out of what jobs may name"
            if real.is_dir() and real not in seen:
                seen.add(real)
                waiting.append(entry)
            elif not real.is_dir() and not real.is_file():
                return f"has {name!r}, which is neither a file nor a folder"
    return None


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
