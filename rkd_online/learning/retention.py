"""Which checkpoints stay."""

import shutil
from pathlib import Path

PATTERN = "step-*"


def prune(folder: Path, *, keep: int, best: int) -> None:
    """Keep step 0, step ``best`` and the ``keep`` newest; delete the others."""
    steps = {int(path.name.removeprefix("step-")): path for path in folder.glob(PATTERN)}
    kept = {0, best, *sorted(steps)[-keep:]}
    for step, path in steps.items():
        if step not in kept:
            shutil.rmtree(path)
