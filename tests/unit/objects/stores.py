"""A store in a folder that fails when a test says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rkd_online.objects.job import JobObjects
from rkd_online.objects.patience import Patience
from rkd_online.objects.store import ObjectStore

SHORT = Patience(3.0, sleep=lambda seconds: None)


def store(tmp_path: Path, patience: Patience = SHORT) -> ObjectStore:
    (tmp_path / "bucket").mkdir(exist_ok=True)
    return ObjectStore(f"file://{tmp_path}/bucket/prefix", patience)


def node(tmp_path: Path, name: str, patience: Patience = SHORT) -> JobObjects:
    """The job's objects as seen from a node with a folder of its own."""
    return JobObjects(store(tmp_path, patience), "job-1", tmp_path / name / "job-1")


class Failing:
    """Calls of a file system fail ``times`` times, then they work."""

    def __init__(self, files: Any, times: float, *names: str) -> None:
        self._files = files
        self.left = times
        self._names = names
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        work = getattr(self._files, name)
        if name not in self._names:
            return work

        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.left > 0:
                self.left -= 1
                raise ConnectionError("the line is dead")
            return work(*arguments, **named)

        return call


def noting(names: list[str], file: int, work: Callable[..., None]) -> Callable[..., None]:
    """The same with the name of the file noted, which is this argument."""

    def noted(*given: Any) -> None:
        names.append(Path(given[file]).name)
        work(*given)

    return noted


def break_(objects: JobObjects, times: float, *names: str) -> Failing:
    failing = Failing(objects.store._files, times, *names)
    objects.store._files = failing
    return failing
