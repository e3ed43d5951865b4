"""Which checkpoints stay."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from rkd_online.files import by_step


def kept_steps(steps: Iterable[int], *, keep: int, best: int) -> set[int]:
    """Step 0, step ``best`` and the ``keep`` newest."""
    return {0, best, *sorted(steps)[-keep:]}


def prune(folder: Path, *, keep: int, best: int) -> None:
    """Keep step 0, step ``best`` and the ``keep`` newest; delete the others."""
    steps = by_step(folder)
    kept = kept_steps(steps, keep=keep, best=best)
    for step, path in steps.items():
        if step not in kept:
            shutil.rmtree(path)
