"""What is kept of a job, and the jobs themselves."""

from pathlib import Path

import pytest

from benchmarks.methods.cells import CELLS, QUICK
from benchmarks.methods.entrants import METHODS, alpha_name
from benchmarks.methods.outcome import step_price, trained
from benchmarks.methods.pieces import PIECE, Training, training_spec
from rkd_online.spec.algorithm import Algorithm, Kdrl
from rkd_online.spec.phases import StepEnd
from rkd_online.types import StepReport


def report(step: int, cost: float, **metrics: float) -> StepReport:
    return StepReport(step, step, 0, {}, {"loop/core_seconds": cost} | metrics)


VALIDATED = {"validation/pass_at_1": 0.123456}


def test_a_step_is_priced_without_the_first_one_and_those_that_validate() -> None:
    reports = [report(1, 8.0), report(2, 2.0), report(3, 3.0), report(4, 9.0, **VALIDATED)]
    assert step_price(reports) == 2.5


def test_curves_are_those_that_the_job_reports() -> None:
    reports = [report(1, 1.0, **{"policy/entropy": 0.56789}), report(2, 1.0, **VALIDATED)]
    piece = {"method": "opd", "rate": 1e-4, "seed": 0, "steps": 2, "compared": 2, "tested": (2,)}
    found = trained(piece, reports, {})
    assert found.curves == {
        "policy/entropy": (0.5679, None),
        "validation/pass_at_1": (None, 0.1235),
    }
    assert found.validated() == {2: 0.1235}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("method", [*METHODS, alpha_name(0.1)])
def test_every_method_is_a_valid_job_of_every_cell(cell: str, method: str, tmp_path: Path) -> None:
    piece = Training(
        cell=cell, effort="full", method=method, rate=3e-4, seed=7, steps=60, compared=60
    )
    assert PIECE.validate_json(piece.model_dump_json()) == piece
    spec = training_spec(piece, tmp_path)
    assert (spec.seed, spec.steps, spec.optimizer.learning_rate) == (7, 60, 3e-4)
    assert (spec.teacher is None) is (method in ("grpo", "sft"))
    assert spec.rollout.max_staleness == 0
    types = [phase.algorithm.type for phase in spec.phases_in_turn]
    assert types == {
        "kdrl-annealed": ["kdrl"],
        "opd-then-grpo": ["opd", "grpo"],
        "rlad-alpha-0.1": ["rlad"],
    }.get(method, [method])


def kdrl(algorithm: Algorithm) -> Kdrl:
    assert isinstance(algorithm, Kdrl)
    return algorithm


def test_coefficients_move_and_methods_switch_by_the_steps_of_the_comparison() -> None:
    """Not by those of the job, which may be longer."""
    pieces = {
        name: Training(
            cell="sums-unreliable", effort="full", method=name, rate=1e-4, seed=0, steps=100,
            compared=60,
        )
        for name in METHODS
    }  # fmt: skip
    (annealed,) = training_spec(pieces["kdrl-annealed"], Path()).phases
    betas = [kdrl(annealed.algorithm_after(done)).beta for done in (0, 59, 99)]
    assert betas == pytest.approx([0.2, 0.02, 0.02])
    first, _ = training_spec(pieces["opd-then-grpo"], Path()).phases
    assert isinstance(first.until, StepEnd) and first.until.step == 30


def test_a_quick_job_is_two_steps_with_a_checkpoint_each() -> None:
    piece = Training(
        cell="sums-unreliable", effort="quick", method="rlad", rate=1e-4, seed=0, steps=2,
        compared=2, tested=(1, 2),
    )  # fmt: skip
    spec = training_spec(piece, Path())
    assert (spec.checkpoint.every, spec.evaluation.every, spec.evaluation.prompts) == (
        QUICK.every, QUICK.every, QUICK.prompts,
    )  # fmt: skip
