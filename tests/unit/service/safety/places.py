"""Folders on a disk: one that jobs may name, the data folder, and one that is neither."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rkd_online.errors import SpecError
from rkd_online.service.safety.check import check_names
from rkd_online.service.safety.folders import Folders
from rkd_online.service.safety.limits import Limits
from rkd_online.spec.load import parse_spec
from tests.unit.spec.job import job

OWN, FOREIGN = "job-own", "job-foreign"
CHECKPOINT = Path("attempts", "1", "checkpoints", "step-000003")


@dataclass(frozen=True)
class Places:
    """``root`` is allowed, ``data`` has two jobs, ``outside`` is not allowed."""

    root: Path
    data: Path
    outside: Path

    @classmethod
    def under(cls, folder: Path) -> "Places":
        places = cls(folder / "root", folder / "data", folder / "outside")
        for made in (places.root / "model", places.outside / "model"):
            made.mkdir(parents=True)
        for name in (OWN, FOREIGN):
            places.checkpoint(name).mkdir(parents=True)
        return places

    @property
    def folders(self) -> Folders:
        return Folders.of((self.root,), self.data)

    @property
    def limits(self) -> Limits:
        return Limits(
            self.folders, ("hf:*/*",), evaluated_answers=False, trackers=("team",), apart=False
        )

    def checkpoint(self, job_id: str) -> Path:
        return self.data / "runs" / job_id / CHECKPOINT

    def lines(self, **changes: Any) -> list[str]:
        """What is wrong with a job of the project that has OWN alone."""
        return refused(self.limits, (OWN,), **changes)


def refused(limits: Limits, own: Iterable[str] = (), **changes: Any) -> list[str]:
    """The lines of the refusal of a job; none where it is allowed."""
    try:
        check_names(parse_spec(job(**changes)), limits, frozenset(own).__contains__)
    except SpecError as error:
        return str(error).splitlines()
    return []


def files(folder: object) -> dict[str, Any]:
    """A task of files in a folder."""
    return {
        "type": "file",
        "train": f"{folder}/train.jsonl",
        "validation": f"{folder}/validation.jsonl",
        "test": f"{folder}/test.jsonl",
    }
