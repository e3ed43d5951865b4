"""Where the files of jobs are: in the data folder, which runs write to, or in an object store."""

import json
from pathlib import Path
from typing import Any, Protocol

from rkd_online.objects.job import JobObjects, scratch_folder
from rkd_online.objects.patience import BRIEF
from rkd_online.objects.store import ObjectStore
from rkd_online.service.settings import Settings


class JobStorage(Protocol):
    """What differs between the two."""

    def hand_over(self, job_id: str, spec: dict[str, Any]) -> Path:
        """Put a job's spec where its run finds it; the job's folder as the run names it. Raises
        OSError, or ObjectStoreError, where that cannot be done."""
        ...

    def where(self, job_id: str) -> str:
        """For people: where the files of a job are."""
        ...


class SharedFolder:
    """The data folder: runs see it at the same path."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def hand_over(self, job_id: str, spec: dict[str, Any]) -> Path:
        """As a file."""
        folder = self._settings.job_dir(job_id)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "spec.json").write_text(_text(spec))
        return folder

    def where(self, job_id: str) -> str:
        """The folder."""
        return str(self._settings.job_dir(job_id))


class SharedStore:
    """An object store: each node has a data folder of its own."""

    def __init__(self, settings: Settings) -> None:
        self._store = ObjectStore(settings.object_store, BRIEF)

    def hand_over(self, job_id: str, spec: dict[str, Any]) -> Path:
        """As an object."""
        name = self._objects(job_id).name("spec.json")
        self._store.write(_text(spec).encode(), name)
        return scratch_folder(job_id)

    def where(self, job_id: str) -> str:
        """The address."""
        return str(self._objects(job_id))

    def _objects(self, job_id: str) -> JobObjects:
        return JobObjects(self._store, job_id, Path())


def storage_of(settings: Settings) -> JobStorage:
    """By the settings."""
    return SharedStore(settings) if settings.object_store else SharedFolder(settings)


def _text(spec: dict[str, Any]) -> str:
    return json.dumps(spec, indent=2) + "\n"
