"""What one process does of the comparison, and what it leaves behind.

``python -m benchmarks.methods.pieces PIECE WORK RESULT`` does the piece, given as JSON, in the
folder WORK, and writes its outcome to RESULT. A training that was cut goes on from its checkpoint.
"""

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from benchmarks.methods.cells import CELLS, EFFORTS, Cell, Effort
from benchmarks.methods.entrants import TEACHERLESS, method_parts, source_parts
from benchmarks.methods.outcome import Baseline, Collected, Examined, Trained, trained
from benchmarks.results import commit, machine
from rkd_online.inference.environment import prepare_engine_process
from rkd_online.run.records import RunFolder, write_whole
from rkd_online.spec import JobSpec

if TYPE_CHECKING:
    from rkd_online.evaluation.record import Evaluation

DECODINGS: Final = ("temperature_1", "greedy")
WARMUP: Final = 5


class Piece(BaseModel):
    """Of one cell, at one effort."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: str
    effort: str


class Measuring(Piece):
    """Teacher and student before any training on the test split."""

    type: Literal["measuring"] = "measuring"

    @property
    def name(self) -> str:
        """Of its result."""
        return "baseline"


class Collecting(Piece):
    """The teacher's samples for the method that learns offline."""

    type: Literal["collecting"] = "collecting"

    @property
    def name(self) -> str:
        """Of its result."""
        return "store"


class Training(Piece):
    """One job: ``steps`` long, asked the test split after each of ``tested``; ``compared`` are the
    steps after which all methods are compared, by which some anneal or switch."""

    type: Literal["training"] = "training"
    method: str
    rate: float
    seed: int
    steps: int
    compared: int
    tested: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Of its result."""
        part = "tested" if self.tested else "tuning"
        return f"{part}/{self.method}-rate{self.rate:g}-seed{self.seed}"


AnyPiece = Annotated[Measuring | Collecting | Training, Field(discriminator="type")]
PIECE: Final[TypeAdapter[Measuring | Collecting | Training]] = TypeAdapter(AnyPiece)


def store_folder(work: Path) -> Path:
    """Where a cell's store lies; ``work`` is the cell's folder."""
    return work / "store"


def evaluations_folder(work: Path) -> Path:
    """Where the evaluations of teacher and untrained student lie."""
    return work / "evaluations"


def job_fields(cell: Cell, effort: Effort) -> dict[str, Any]:
    """What all jobs of a cell have in common."""
    return {
        "version": 1,
        "name": cell.name,
        "policy": {"model": cell.student},
        "task": cell.task,
        "rollout": {
            "prompts_per_step": cell.prompts_per_step,
            "max_new_tokens": cell.max_new_tokens,
        },
        "evaluation": {
            "prompts": effort.prompts,
            "samples": effort.samples,
            "decoding": DECODINGS,
            "every": effort.every,
            "every_prompts": effort.validation_prompts,
            "every_samples": effort.validation_samples,
        },
        "checkpoint": {
            "every": effort.every,
            "keep": 1_000,
            "best_metric": "validation/pass_at_1",
        },
    }


def training_spec(piece: Training, store: Path) -> JobSpec:
    """The job of a training."""
    cell = CELLS[piece.cell]
    fields = job_fields(cell, EFFORTS[piece.effort])
    fields["rollout"] |= source_parts(piece.method, store)
    if piece.method not in TEACHERLESS:
        fields["teacher"] = {"model": cell.teacher}
    return JobSpec.model_validate(
        fields
        | method_parts(piece.method, piece.compared)
        | {
            "optimizer": {
                "learning_rate": piece.rate,
                "schedule": {"type": "constant", "warmup_steps": WARMUP},
            },
            "steps": piece.steps,
            "seed": piece.seed,
        }
    )


def asking_spec(cell: Cell, effort: Effort, model: str, **evaluation: Any) -> JobSpec:
    """A job that takes no step and asks a model: of the cell's test split, or something else."""
    fields = job_fields(cell, effort)
    fields["policy"] = {"model": model}
    fields["evaluation"] |= evaluation
    return JobSpec.model_validate(fields | {"algorithm": {"type": "grpo"}, "steps": 1})


def main() -> None:
    """Do the piece that the arguments name."""
    prepare_engine_process("cpu")
    piece = PIECE.validate_json(sys.argv[1])
    work, target = Path(sys.argv[2]), Path(sys.argv[3])
    match piece:
        case Measuring():
            outcome: BaseModel = measure(piece, work)
        case Collecting():
            outcome = collect(piece, work)
        case Training():
            outcome = train(piece, work)
    write_whole(target, outcome.model_dump_json() + "\n")


def measure(piece: Measuring, work: Path) -> Baseline:
    """Both models of the cell. Their evaluations are kept for the jobs, which measure neither
    again."""
    cell, effort = CELLS[piece.cell], EFFORTS[piece.effort]
    found = {
        name: _evaluated(asking_spec(cell, effort, model), name)
        for name, model in (("teacher", cell.teacher), ("student-before", cell.student))
    }
    for name, one in found.items():
        write_whole(evaluations_folder(work) / f"{name}.json", one.model_dump_json() + "\n")
    return Baseline(
        teacher=examined(found["teacher"]),
        student=examined(found["student-before"]),
        commit=commit(),
        machine=machine(),
    )


def collect(piece: Collecting, work: Path) -> Collected:
    """The teacher's samples; their cost is that of the whole collection, its start included."""
    from rkd_online.run.collect import collect as collected
    from rkd_online.run.collection_folder import begin

    cell, effort = CELLS[piece.cell], EFFORTS[piece.effort]
    spec = asking_spec(cell, effort, cell.teacher, prompts=effort.stored, samples=8)
    store = store_folder(work)
    shutil.rmtree(store, ignore_errors=True)
    before = time.process_time()
    begin(spec, store)
    found = collected(spec, "teacher", store, lambda done, prompts: None)
    return Collected(rows=found.rows, core_seconds=time.process_time() - before)


def train(piece: Training, work: Path) -> Trained:
    """One job to its end, and its checkpoints after the steps that are tested."""
    from rkd_online.evaluation.record import read_evaluation
    from rkd_online.run.inline import run_inline

    spec = training_spec(piece, store_folder(work))
    folder = RunFolder(work / piece.name)
    if not folder.report.exists():
        shutil.copytree(evaluations_folder(work), folder.evaluations, dirs_exist_ok=True)
        run_inline(spec, folder)
    reports = folder.reports()
    checkpoints = folder.checkpoints()
    cell, effort = CELLS[piece.cell], EFFORTS[piece.effort]
    tests = {}
    for step in piece.tested:
        if step == piece.steps:
            found = read_evaluation(folder.evaluations / "student-after.json")
        else:
            found = _evaluated(asking_spec(cell, effort, str(checkpoints[step])), f"step-{step}")
        tests[step] = examined(found)
    shutil.rmtree(folder.path)
    return trained(piece.model_dump(exclude={"cell", "effort", "type"}), reports, tests)


def _evaluated(spec: JobSpec, name: str) -> "Evaluation":
    from rkd_online.run.standalone import evaluate_model

    return evaluate_model(spec, name, "test", lambda decoding, answered, prompts: None)


def examined(found: "Evaluation") -> Examined:
    """What is kept of an evaluation."""
    sampled, greedy = (found.decodings[decoding].tally for decoding in DECODINGS)
    answers = len(found.prompts) * sampled.samples
    return Examined(
        samples=sampled.samples,
        groups=found.difficulties,
        correct=sampled.correct,
        greedy=greedy.correct,
        tokens=sum(sampled.tokens) / answers,
        truncated=sum(sampled.truncated) / answers,
    )


if __name__ == "__main__":
    main()
