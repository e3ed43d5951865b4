"""Everything that is kept of a job, under ``runs/<job>/`` of the data folder."""

import os
from collections.abc import Sequence
from pathlib import Path

from rkd_online.errors import RecordError
from rkd_online.files import MANIFEST, PARQUET, by_step, step_name, whole
from rkd_online.metrics.sinks import read_reports
from rkd_online.spec.job import JobSpec
from rkd_online.types import ScoredGroup, StepReport, TrainingBatch, UpdateResult


def data_dir(given: Path | None = None) -> Path:
    """``given``, else ``$RKD_DATA_DIR``, else ``.rkd``; absolute."""
    return (given or Path(os.environ.get("RKD_DATA_DIR", ".rkd"))).expanduser().resolve()


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old one or the new one."""
    with whole(path) as partial:
        partial.write_text(text)


def is_checkpoint(folder: Path) -> bool:
    """Whether a whole checkpoint lies there: its manifest is written last."""
    return (folder / MANIFEST).is_file()


class RunFolder:
    """The folder of one job."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "spec.json"
        self.report = path / "report.json"
        self.plot = path / "report.png"
        self.evaluations = path / "evaluations"
        self.event_files = path / "tensorboard"
        self.tracked_as = path / "tracked-as"

    @classmethod
    def of(cls, data: Path, job: str) -> "RunFolder":
        """The folder of ``job`` in a data folder."""
        return cls(data / "runs" / job)

    def attempt(self, number: int) -> "AttemptFolder":
        """The folder of one attempt."""
        return AttemptFolder(self.path / "attempts" / str(number))

    def attempts(self) -> list["AttemptFolder"]:
        """The folders of all attempts so far, oldest first."""
        numbers = sorted(int(path.name) for path in (self.path / "attempts").glob("[0-9]*"))
        return [self.attempt(number) for number in numbers]

    def reports(self) -> list[StepReport]:
        """The report of every step, as the last attempt did it that did it."""
        return read_reports([attempt.metrics for attempt in self.attempts()])

    def write_spec(self, spec: JobSpec) -> None:
        """Keep the resolved spec."""
        write_whole(self.spec, spec.model_dump_json(indent=2) + "\n")

    def checkpoints(self) -> dict[int, Path]:
        """Every whole checkpoint by its step; of two after one step that of the later attempt."""
        return {
            step: folder
            for attempt in self.attempts()
            for step, folder in attempt.whole_checkpoints().items()
        }

    def latest_checkpoint(self) -> Path | None:
        """The newest whole checkpoint of the newest attempt that has one beyond step 0."""
        for attempt in reversed(self.attempts()):
            whole = attempt.whole_checkpoints()
            if any(whole):
                return whole[max(whole)]
        return None


class AttemptFolder:
    """The folder of one attempt: nobody else writes here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = path / "metrics.jsonl"
        self.trace = path / "trace.jsonl"
        self.setup = path / "setup.json"
        self.rollout_files = path / "rollouts"
        self.checkpoints = path / "checkpoints"
        self.logs = path / "logs"

    def whole_checkpoints(self) -> dict[int, Path]:
        """Those that count, in the order of their steps."""
        found = by_step(self.checkpoints)
        return {step: folder for step, folder in found.items() if is_checkpoint(folder)}

    def rollouts(
        self, groups: Sequence[ScoredGroup], batch: TrainingBatch, update: UpdateResult
    ) -> None:
        """Keep every rollout of a step, in the order of the batch's rows."""
        from rkd_online.run.rollout_table import write_rollouts

        path = self.rollout_files / step_name(batch.step, PARQUET)
        try:
            write_rollouts(path, groups, batch, update)
        except OSError as error:
            raise RecordError(
                f"cannot write {path}: {error.strerror}; make room there, then run the job again"
            ) from error
