"""What was measured of the weights in a job's checkpoints, and which of them the report names."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from rkd_online.files import validation_name
from rkd_online.service.reading.job_files import JobFiles
from rkd_online.service.schemas.checkpoint import CheckpointEvaluation, Measured

MOST_BYTES: Final = 64 << 20
BEFORE: Final = "student-before"
AFTER: Final = "student-after"

log = logging.getLogger(__name__)


class _Measurement(BaseModel):
    pass_at_k: dict[int, Measured]


class _Decoded(BaseModel):
    weight_version: int
    measurement: _Measurement


class _Asked(BaseModel):
    split: str


class _Evaluation(BaseModel):
    """Of an evaluation's file what is shown here: it also has the counts of every prompt."""

    asked: _Asked
    decodings: dict[str, _Decoded]

    @property
    def version(self) -> int | None:
        return next((one.weight_version for one in self.decodings.values()), None)


class NamedCheckpoints(BaseModel):
    """The paths that a report names."""

    last: str
    best: str


class _Report(BaseModel):
    checkpoints: NamedCheckpoints


Found = TypeVar("Found", bound=BaseModel)


class Evaluations:
    """Those of one job; what belongs to no step by its name is read once."""

    def __init__(self, job: JobFiles) -> None:
        self._job = job
        self._ends = {name: self._read(name) for name in (BEFORE, AFTER)}

    def of(self, step: int) -> Iterator[CheckpointEvaluation]:
        """What is known of the weights after a step, whose number is their version."""
        validation = validation_name(step)
        for name, found in ({validation: self._read(validation)} | self._ends).items():
            if found is not None and found.version == step:
                yield CheckpointEvaluation(
                    name=name,
                    split=found.asked.split,
                    pass_at_1={
                        decoding: one.measurement.pass_at_k[1]
                        for decoding, one in found.decodings.items()
                    },
                )

    def _read(self, name: str) -> _Evaluation | None:
        return _read(self._job.local(f"evaluations/{name}.json"), _Evaluation)


def named_checkpoints(job: JobFiles) -> NamedCheckpoints | None:
    """What the job's report names; None before there is one."""
    report = _read(job.local("report.json"), _Report)
    return report.checkpoints if report else None


def _read(path: Path, model: type[Found]) -> Found | None:
    """None where there is none, or it is of another version of rkd."""
    try:
        with path.open("rb") as file:
            return model.model_validate_json(file.read(MOST_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("%s cannot be read, and is left out: %s", path, error)
        return None
