"""Which job and which of its checkpoints are meant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rkd_online.errors import RecordError
from rkd_online.run.checkpoints import best_step, values_by_version
from rkd_online.run.records import RunFolder
from rkd_online.run.stopping import Stopping
from rkd_online.spec.invalid import suggestion
from rkd_online.spec.job import JobSpec

LAST: Final = "last"
BEST: Final = "best"


@dataclass(frozen=True, slots=True)
class KnownJob:
    """A job with its records."""

    run: RunFolder
    spec: JobSpec

    @property
    def name(self) -> str:
        """Its id."""
        return self.run.path.name

    def steps_done(self) -> int:
        """Steps that were reported."""
        return max((report.step for report in self.run.reports()), default=0)


@dataclass(frozen=True, slots=True)
class ChosenCheckpoint:
    """A whole checkpoint and the step after which it was written."""

    step: int
    path: Path


def find_job(data: Path, job: str) -> KnownJob:
    """The job in a data folder. Raises RecordError, with near names, for one that is not there."""
    run = RunFolder.of(data, job)
    if not run.spec.is_file():
        known = [path.parent.name for path in sorted((data / "runs").glob("*/spec.json"))]
        there = f"; there are: {', '.join(known[-8:])}" if known else "; there is none"
        raise RecordError(
            f"there is no job {job!r} in {data / 'runs'}{suggestion(job, known) or there}; its "
            "records may lie in another --data-dir"
        )
    return KnownJob(run, JobSpec.model_validate_json(run.spec.read_bytes()))


def choose_checkpoint(job: KnownJob, which: str) -> ChosenCheckpoint:
    """``last``, ``best`` (by ``checkpoint.best_metric``) or the number of a step.

    Raises RecordError where there is none yet, or that step's is not kept.
    """
    kept = job.run.checkpoints()
    if which.isdecimal():
        step = int(which)
        if step not in kept:
            raise RecordError(_not_kept(job, step, sorted(kept)))
        return ChosenCheckpoint(step, kept[step])
    if which not in (LAST, BEST):
        raise RecordError(f"--step {which!r} is neither a step's number nor {LAST} or {BEST}")
    if not any(kept):
        raise RecordError(_none_yet(job, student=0 in kept))
    step = max(kept) if which == LAST else _best(job, kept)
    return ChosenCheckpoint(step, kept[step])


def _best(job: KnownJob, kept: dict[int, Path]) -> int:
    return best_step(kept, values_by_version(job.run.reports(), job.spec.checkpoint.best_metric))


def _none_yet(job: KnownJob, *, student: bool) -> str:
    words = "; --step 0 exports the student as it was loaded" if student else ""
    return f"job {job.name} has no checkpoint yet: {_due(job)}{words}"


def _not_kept(job: KnownJob, step: int, kept: list[int]) -> str:
    if not kept:
        return _none_yet(job, student=False)
    last = Stopping(job.spec, job.run.reports()).last
    words = "" if job.steps_done() >= last else f"; {_due(job)}"
    return (
        f"job {job.name} keeps no checkpoint of step {step}: kept are those of steps "
        f"{', '.join(map(str, kept))}{words}"
    )


def _due(job: KnownJob) -> str:
    """When the next checkpoint comes."""
    done, every = job.steps_done(), job.spec.checkpoint.every
    due = min(job.spec.steps, (done // every + 1) * every)
    return f"it has done {done} of {job.spec.steps} steps, the next is written after step {due}"
