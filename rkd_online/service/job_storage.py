"""Where the files of jobs are: in the data folder, which runs write to, or in an object store."""

import json
from pathlib import Path
from typing import Any, Final, Protocol

from rkd_online.objects.job import JobObjects, scratch_folder
from rkd_online.objects.patience import BRIEF
from rkd_online.objects.store import ObjectStore
from rkd_online.service.reading.disk_files import DiskFiles
from rkd_online.service.reading.job_files import JobFiles
from rkd_online.service.reading.object_cache import ObjectCache
from rkd_online.service.reading.store_files import StoreFiles
from rkd_online.service.settings import Settings

CACHE: Final = "object-cache"


class JobStorage(Protocol):
    """What differs between the two."""

    def hand_over(self, job_id: str, spec: dict[str, Any]) -> Path:
        """Put a job's spec where its run finds it; the job's folder as the run names it. Raises
        OSError, or ObjectStoreError, where that cannot be done."""
        ...

    def where(self, job_id: str) -> str:
        """For people: where the files of a job are."""
        ...

    def files(self, job_id: str) -> JobFiles:
        """The files of a job, for one request. Its methods may wait: call them in a thread."""
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...


class SharedFolder:
    """The data folder: runs see it at the same path."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def hand_over(self, job_id: str, spec: dict[str, Any]) -> Path:
        """As a file."""
        folder = self._settings.job_dir(job_id)
        folder.mkdir(parents=True, exist_ok=True)
        # A disk that is full must not cost the spec of the attempt before.
        written = folder / ".spec.json.new"
        written.write_text(_text(spec))
        written.replace(folder / "spec.json")
        return folder

    def where(self, job_id: str) -> str:
        """The folder."""
        return str(self._settings.job_dir(job_id))

    def files(self, job_id: str) -> JobFiles:
        """As they lie there."""
        return DiskFiles(self._settings.job_dir(job_id))

    def close(self) -> None:
        """Nothing is held."""


class SharedStore:
    """An object store: each node has a data folder of its own."""

    def __init__(self, settings: Settings) -> None:
        self._store = ObjectStore(settings.object_store, BRIEF)
        base = settings.data_dir / CACHE
        self._cache = ObjectCache(base, settings.object_cache_mib << 20)

    def hand_over(self, job_id: str, spec: dict[str, Any]) -> Path:
        """As an object."""
        name = self._objects(job_id).name("spec.json")
        self._store.write(_text(spec).encode(), name)
        return scratch_folder(job_id)

    def where(self, job_id: str) -> str:
        """The address."""
        return str(self._objects(job_id))

    def files(self, job_id: str) -> JobFiles:
        """Small ones come through the cache."""
        return StoreFiles(self._objects(job_id), self._cache)

    def close(self) -> None:
        """Remove the cache."""
        self._cache.close()

    def _objects(self, job_id: str) -> JobObjects:
        return JobObjects(self._store, job_id, self._cache.folder / "runs" / job_id)


def storage_of(settings: Settings) -> JobStorage:
    """By the settings."""
    return SharedStore(settings) if settings.object_store else SharedFolder(settings)


def _text(spec: dict[str, Any]) -> str:
    return json.dumps(spec, indent=2) + "\n"
