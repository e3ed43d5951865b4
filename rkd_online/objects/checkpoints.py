"""Checkpoints between a node and the store: the manifest is stored last, so that a reader finds a
whole checkpoint or none."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final

from rkd_online.errors import CheckpointError, ObjectStoreError
from rkd_online.files import MANIFEST, file_digest, whole_folder
from rkd_online.locks import exclusive
from rkd_online.objects.held_folder import HeldFolder
from rkd_online.objects.job import JobObjects

LOCK_SECONDS: Final = 3600.0
"""Another rank of this node may be fetching the same."""
TRIES: Final = 3


class CheckpointCopies:
    """The way to the checkpoints of a job. Folders are named as on the driver's node; on this one
    they lie in the job's own folder."""

    def __init__(self, objects: JobObjects) -> None:
        self._objects = objects
        self._pulled: set[Path] = set()

    def here(self, folder: Path) -> Path:
        """This node's folder for one that the driver names."""
        return self._objects.here(_path(folder))

    def push(self, folder: Path) -> None:
        """Store a checkpoint that is whole on this node. Of its files here the manifest stays.

        Raises ObjectStoreError; the checkpoint then does not count, and lies here as it is while
        the learner does.
        """
        manifest = _path(folder) / MANIFEST
        place = self.here(folder)
        files = _files(json.loads((place / MANIFEST).read_bytes()), folder)
        for name in files:
            self._objects.push(_path(folder) / name)
        if problem := self._not_stored(folder, files):
            raise ObjectStoreError(problem)
        self._objects.push(manifest)
        if problem := self._not_stored(folder, files):
            # A later attempt took it for half a checkpoint of one that is over.
            self._objects.remove([str(manifest)])
            raise ObjectStoreError(problem)
        strip(place)

    def pull(self, folder: Path) -> Path:
        """Have a checkpoint whole on this node, whatever is here of it; its folder.

        Raises CheckpointError where the store has none, or not what its manifest says.
        """
        place = self.here(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place):
            manifest = self._manifest(folder)
            files = _files(json.loads(manifest), folder)
            if not _is_whole(place, manifest, files):
                self._fetch(folder, manifest, files)
        self._pulled.add(place)
        return place

    def drop(self) -> None:
        """Make room: what was pulled is no longer needed."""
        for place in self._pulled:
            strip(place)
        self._pulled.clear()

    def _manifest(self, folder: Path) -> bytes:
        name = self._objects.name(_path(folder) / MANIFEST)
        try:
            return self._objects.store.read(name)
        except FileNotFoundError:
            raise CheckpointError(
                f"{self._objects}/{_path(folder)} is no checkpoint: it has no {MANIFEST}"
            ) from None

    def _fetch(self, folder: Path, manifest: bytes, files: dict[str, Any]) -> None:
        with whole_folder(self.here(folder)) as partial:
            for name, recorded in files.items():
                self._fetch_file(folder, partial, name, recorded)
            (partial / MANIFEST).write_bytes(manifest)

    def _fetch_file(self, folder: Path, partial: Path, name: str, recorded: dict[str, Any]) -> None:
        place = partial / name
        place.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(TRIES):
            try:
                self._objects.store.get(self._objects.name(_path(folder) / name), place)
            except FileNotFoundError:
                break
            if _is_recorded(place, recorded):
                return
        raise CheckpointError(
            f"checkpoint {self._objects}/{_path(folder)} is damaged: {name} is missing or is not "
            "what was written; resume from an earlier checkpoint"
        )

    def _not_stored(self, folder: Path, files: dict[str, Any]) -> str | None:
        """What the store does not have as it is here; None where it has all."""
        base = _path(folder)
        stored = self._objects.find(str(base))
        for name, recorded in files.items():
            found = stored.get(str(base / name))
            if found is None or found.bytes != recorded["bytes"]:
                size = "nothing" if found is None else f"{found.bytes} bytes"
                return (
                    f"{self._objects}/{base / name} has {recorded['bytes']} bytes here, the store "
                    f"shows {size} after it was written: the checkpoint does not count"
                )
        return None


class LearnerCopies(CheckpointCopies):
    """Those of a learner, whose folder on this node goes with it."""

    def __init__(self, objects: JobObjects) -> None:
        super().__init__(objects)
        self._held = HeldFolder(objects.folder)

    def close(self) -> None:
        """The learner ends. Other ranks of this node may still be there: the last one clears up."""
        self._held.leave()


def strip(place: Path) -> None:
    """Remove a checkpoint's files from this node, but for the manifest."""
    for path in place.iterdir() if place.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != MANIFEST:
            path.unlink(missing_ok=True)


def _path(folder: Path) -> PurePosixPath:
    """``attempts/N/checkpoints/NAME``: below the job's folder, wherever that lies."""
    return PurePosixPath(*folder.parts[-4:])


def _files(manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    files: dict[str, Any] = manifest["files"]
    for name in files:
        parts = name.split("/")
        if any(part in ("", ".", "..") for part in parts) or name == MANIFEST:
            raise CheckpointError(f"checkpoint {folder} is damaged: its manifest names {name!r}")
    return files


def _is_whole(place: Path, manifest: bytes, files: dict[str, Any]) -> bool:
    """By sizes: who reads it compares digests."""
    try:
        return (place / MANIFEST).read_bytes() == manifest and all(
            (place / name).stat().st_size == recorded["bytes"] for name, recorded in files.items()
        )
    except OSError:
        return False


def _is_recorded(place: Path, recorded: dict[str, Any]) -> bool:
    size: bool = place.stat().st_size == recorded["bytes"]
    return size and file_digest(place) == recorded["sha256"]


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One rank of a node fetches, the others wait and find it."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        with exclusive(place.with_name(f".{place.name}.lock")) as mine:
            if mine:
                yield
                return
        if time.monotonic() > deadline:
            raise ObjectStoreError(
                f"waited {LOCK_SECONDS:.0f} s for another rank of this node to fetch {place}"
            )
        time.sleep(0.5)
