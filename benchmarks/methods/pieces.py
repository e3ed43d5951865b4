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

from benchmarks.methods.cells import CELLS, EFFORTS, GROUP, Cell, Effort
from benchmarks.methods.entrants import (
    METHODS,
    OFFLINE,
    TEACHERLESS,
    method_parts,
    source_parts,
)
from benchmarks.methods.outcome import (
    Baseline,
    Examined,
    Prices,
    Trained,
    step_price,
    trained,
)
from benchmarks.results import commit, machine
from rkd_online.inference.environment import prepare_engine_process
from rkd_online.run.records import RunFolder, write_whole
from rkd_online.spec import JobSpec
from rkd_online.spec.store_files import STORE

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


class Pricing(Piece):
    """The teacher's samples for the method that learns offline, and what a step of each method
    costs: all in one process, so that trainings may be of several machines."""

    type: Literal["pricing"] = "pricing"

    @property
    def name(self) -> str:
        """Of its result."""
        return "prices"


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


AnyPiece = Annotated[Measuring | Pricing | Training, Field(discriminator="type")]
PIECE: Final[TypeAdapter[Measuring | Pricing | Training]] = TypeAdapter(AnyPiece)


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
        case Pricing():
            outcome = price(piece, work)
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


def price(piece: Pricing, work: Path) -> Prices:
    """What everything costs, the methods in turn, round after round."""
    cell, effort = CELLS[piece.cell], EFFORTS[piece.effort]
    rows, collecting = collect(cell, effort, store_folder(work))
    found: dict[str, list[float]] = {name: [] for name in METHODS}
    for number in range(effort.priced_rounds):
        for name, prices in found.items():
            prices.append(_price(cell, effort, name, work, number))
    return Prices(
        rows=rows,
        collecting=collecting,
        steps={name: min(prices) for name, prices in found.items()},
        commit=commit(),
        machine=machine(),
    )


def collect(cell: Cell, effort: Effort, store: Path) -> tuple[int, float]:
    """How many samples the teacher's store has, and their core-seconds, its start included."""
    from rkd_online.run.collect import collect as collected
    from rkd_online.run.collection_folder import begin

    spec = asking_spec(cell, effort, cell.teacher, prompts=effort.stored, samples=GROUP)
    shutil.rmtree(store, ignore_errors=True)
    before = time.process_time()
    begin(spec, store)
    found = collected(spec, "teacher", store, lambda done, prompts: None)
    return found.rows, time.process_time() - before


def _price(cell: Cell, effort: Effort, method: str, work: Path, number: int) -> float:
    """Core-seconds of a step in one short job."""
    from rkd_online.run.inline import run_inline

    steps = effort.priced_steps
    piece = Training(
        cell=cell.name,
        effort=effort.name,
        method=method,
        rate=effort.rates[0],
        seed=number,
        steps=steps,
        compared=steps,
    )
    spec = training_spec(piece, store_folder(work))
    # Every part of a mixture wants a prompt.
    at_the_end = {"every": steps, "prompts": 8, "samples": 1, "every_prompts": 8}
    evaluation = spec.evaluation.model_copy(update=at_the_end)
    checkpoint = spec.checkpoint.model_copy(update={"every": steps})
    folder = RunFolder(work / "prices" / f"{method}-{number}")
    shutil.rmtree(folder.path, ignore_errors=True)
    short = spec.model_copy(update={"evaluation": evaluation, "checkpoint": checkpoint})
    run_inline(short, folder)
    found = step_price(folder.reports())
    shutil.rmtree(folder.path)
    return found


def train(piece: Training, work: Path) -> Trained:
    """One job to its end, and its checkpoints after the steps that are tested."""
    from rkd_online.evaluation.record import read_evaluation
    from rkd_online.run.inline import run_inline

    cell, effort = CELLS[piece.cell], EFFORTS[piece.effort]
    folder = RunFolder(work / piece.name)
    if not folder.report.exists():
        # Prices are kept and work is not: on another machine there may be neither.
        if evaluations_folder(work).is_dir():
            shutil.copytree(evaluations_folder(work), folder.evaluations, dirs_exist_ok=True)
        store = store_folder(work)
        if piece.method == OFFLINE and not (store / STORE).is_file():
            store = folder.path / "store"
            if not (store / STORE).is_file():
                collect(cell, effort, store)
        run_inline(training_spec(piece, store), folder)
    reports = folder.reports()
    checkpoints = folder.checkpoints()
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
