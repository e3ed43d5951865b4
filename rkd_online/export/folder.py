"""A folder that is exported: written beside its place and renamed into it when it is whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rkd_online.errors import RecordError
from rkd_online.files import whole_folder
from rkd_online.spec.store_files import STORE

PROVENANCE: Final = "provenance.json"
"""In every exported checkpoint: where it comes from."""
MARKS: Final = (PROVENANCE, STORE)
"""What tells an earlier export from a folder that somebody needs."""


@contextmanager
def export_folder(out: Path, *, force: bool) -> Iterator[Path]:
    """A new folder to write into. It becomes ``out`` when the block ends, and is gone if it fails.

    Raises RecordError where ``out`` holds something and may not be replaced, or cannot be written.
    """
    place = out.expanduser().resolve()
    check_free(place, force=force)
    try:
        with whole_folder(place) as partial:
            yield partial
    except OSError as error:
        raise RecordError(f"cannot write --out {place}: {error.strerror or error}") from error


def check_free(place: Path, *, force: bool) -> None:
    """Refuse a place with something in it; ``force`` gives up an earlier export, nothing else."""
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return
    exported = any((place / name).is_file() for name in MARKS)
    if not exported:
        raise RecordError(
            f"--out {place} holds what no export wrote: it is not replaced, choose another folder"
        )
    if not force:
        raise RecordError(
            f"--out {place} holds an earlier export: choose another folder, or replace it with "
            "--force"
        )
