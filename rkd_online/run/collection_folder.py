"""The folder of a collection that is not finished: whose it is, and whether it may go on."""

from pathlib import Path
from typing import Final

from rkd_online.errors import RecordError
from rkd_online.run.records import write_whole
from rkd_online.spec.job import JobSpec
from rkd_online.spec.store_files import STORE

ASKED: Final = "asked.json"
"""What the collection asks, so that nothing else goes on with it."""


def begin(spec: JobSpec, place: Path) -> None:
    """Take the folder for this collection, or go on with what it holds of it.

    Raises RecordError where it holds a store, another collection or anything else.
    """
    asked = spec.model_dump_json(indent=2) + "\n"
    path = place / ASKED
    if (place / STORE).is_file():
        raise RecordError(f"--out {place} holds a store already: choose another folder")
    if path.is_file():
        if path.read_text() != asked:
            raise RecordError(
                f"--out {place} holds an unfinished collection that asked something else ({path}): "
                "give the same command to go on with it, or choose another folder"
            )
        return
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise RecordError(f"--out {place} is not empty: choose another folder")
    try:
        write_whole(path, asked)
    except OSError as error:
        raise RecordError(f"--out {place} cannot be written: {error.strerror}") from error
