"""What the files of a job are called, and their digests: for who writes, copies, serves and fetches
them."""

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MANIFEST: Final = "manifest.json"
"""Written last: a folder without it is no checkpoint."""
STEP: Final = "step-"
PARQUET: Final = ".parquet"


def step_name(step: int, suffix: str = "") -> str:
    """What belongs to a step: its checkpoint, or with a suffix a file of its own."""
    return f"{STEP}{step:06d}{suffix}"


def step_of(name: str, suffix: str = "") -> int | None:
    """The step of such a name; None for any other."""
    number = name.removeprefix(STEP).removesuffix(suffix)
    if not number.isascii() or not number.isdecimal():
        return None
    return int(number) if name == step_name(int(number), suffix) else None


def by_step(folder: Path, suffix: str = "") -> dict[int, Path]:
    """What lies in a folder under the name of a step, in the order of steps; nothing where there is
    no folder."""
    found = ((step_of(path.name, suffix), path) for path in folder.glob(f"{STEP}*"))
    return dict(sorted((step, path) for step, path in found if step is not None))


@contextmanager
def whole(place: Path) -> Iterator[Path]:
    """A file to write beside ``place``, whose place it takes when the block ends without an error:
    whoever reads meanwhile has the file of before, or none. Each thread has a file of its own."""
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f".{place.name}.{threading.get_ident()}.partial")
    try:
        yield partial
        os.replace(partial, place)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """A folder to write beside ``place``, which it replaces when the block ends without error."""
    partial = place.with_name(f".{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if place.exists():
            shutil.rmtree(place)
        os.replace(partial, place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def checkpoint_path(attempt: int, step: int) -> str:
    """The folder of a checkpoint below that of its job."""
    return f"attempts/{attempt}/checkpoints/{step_name(step)}"


def validation_name(step: int) -> str:
    """The evaluation of the weights after a step on the prompts for validation."""
    return f"validation-{step:06d}"


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal, as manifests have it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
