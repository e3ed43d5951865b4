"""A cell's page below ``docs/experiments/``, written from kept results alone."""

from pathlib import Path
from typing import Final

from benchmarks.methods.cells import Cell, Effort
from benchmarks.methods.entrants import ALPHA, BETA, BETAS
from benchmarks.methods.outcome import Examined
from benchmarks.methods.pictures import draw_alphas, draw_methods
from benchmarks.methods.plan import YARDSTICK, Findings
from benchmarks.methods.tables import (
    alpha_table,
    equal_seconds_table,
    equal_steps_table,
    grid_table,
    groups_table,
)
from benchmarks.results import ROOT

EXPERIMENTS: Final = ROOT / "docs" / "experiments"


def write_cell(found: Findings, folder: Path) -> Path:
    """The page with its pictures; returns the page."""
    cell = found.cell
    draw_methods(found, folder / "images" / f"{cell.name}.png")
    if found.effort.alphas:
        draw_alphas(found, folder / "images" / f"{cell.name}-alpha.png")
    page = folder / f"{cell.name}.md"
    page.write_text(page_text(found))
    return page


def page_text(found: Findings) -> str:
    """The page, without its pictures."""
    return "\n\n".join(part for part in _parts(found) if part) + "\n"


def _parts(found: Findings) -> list[str]:
    cell, effort = found.cell, found.effort
    steps = found.trained[YARDSTICK][0].compared
    return [
        f"# {cell.title}",
        _head(found, steps),
        f"## After {steps} steps",
        equal_steps_table(found),
        "pass@1 and tokens of an answer are at temperature 1, greedy is pass@1 of the greedy "
        f"answer. *Less {YARDSTICK}* is paired by seed and prompt. {_silence(found)}",
        groups_table(found),
        f"![Learning curves](images/{cell.name}.png)",
        f"## After the core-seconds of {steps} steps of {YARDSTICK}",
        _equal_seconds_words(found, steps),
        equal_seconds_table(found),
        *_grids(found),
        *_alphas(found),
        "## How it was run",
        _setting(cell, effort),
    ]


def _head(found: Findings, steps: int) -> str:
    trees = ", ".join(f"`{tree}`" for tree in found.trees)
    return (
        f"Written by `{_command(found)}` from `benchmarks/results/methods/{found.cell.name}/`; do "
        f"not edit. Measured and trained with tree {trees} "
        f"({found.baseline.machine}).\n\n"
        f"`{found.cell.student}` learns from `{found.cell.teacher}`: a student that is "
        f"{found.cell.kind}. {len(found.baseline.teacher.correct)} prompts of the test split, "
        f"{found.baseline.teacher.samples} answers each at temperature 1. Intervals are 95 %, by "
        "a bootstrap over seeds and prompts; with few seeds they are rather too narrow, so each "
        "seed stands beside them."
    )


def _command(found: Findings) -> str:
    quick = " --quick" if found.effort.name == "quick" else ""
    return f"python -m benchmarks.methods{quick} --cell {found.cell.name}"


def _equal_seconds_words(found: Findings, steps: int) -> str:
    prices = found.prices
    return (
        f"{steps * prices.steps[YARDSTICK]:,.0f} core-seconds of sampling, scoring and learning. A "
        "method whose steps are cheaper takes more of them, to the nearest checkpoint. Steps were "
        "priced by short jobs of all methods in turn on one core, without start-up and validation "
        f"({prices.machine}). The offline method first pays {prices.collecting:,.0f} core-seconds "
        f"for its {prices.rows:,} samples of the teacher."
    )


def _silence(found: Findings) -> str:
    """Where no answer is right, a reward alone has nothing to teach."""
    student, teacher = found.baseline.student, found.baseline.teacher
    return (
        f"Before training none of the student's {student.samples} answers was right for "
        f"{_unsolved(student)} of the prompts, none of the teacher's for {_unsolved(teacher)}."
    )


def _unsolved(one: Examined) -> str:
    return f"{100 * one.correct.count(0) / len(one.correct):.0f} %"


def _grids(found: Findings) -> list[str]:
    if not found.grids:
        return []
    seeds = ", ".join(map(str, found.effort.tuning_seeds))
    words = (
        "Mean of pass@1 on the validation split over the last third of the steps, with a seed "
        f"({seeds}) that no result has. The best of each row was taken; a best one at the edge "
        "says that a wider grid could help that method."
    )
    return ["## Learning rates", words, grid_table(found)]


def _alphas(found: Findings) -> list[str]:
    if not found.effort.alphas:
        return []
    return [
        "## rlad by alpha",
        f"At the learning rate that was tuned for alpha {ALPHA:g}.",
        alpha_table(found),
        f"![pass@1 by alpha](images/{found.cell.name}-alpha.png)",
    ]


def _setting(cell: Cell, effort: Effort) -> str:
    first, last = BETAS
    return (
        f"- {cell.prompts_per_step} prompts a step with 8 completions each, up to "
        f"{cell.max_new_tokens} tokens, strictly on-policy, temperature 1; AdamW, constant "
        "learning rate after 5 steps of warm-up, float32, one thread; one process a job.\n"
        f"- rlad: alpha {ALPHA:g}, clamp 1, clip 0.2 and 0.28, which all methods have. kdrl: beta "
        f"{BETA:g}; annealed from {first:g} to {last:g} over the steps. opd-then-grpo: half of the "
        "steps each. Nothing but the learning rate was tuned.\n"
        "- sft: all correct ones of the teacher's samples of "
        f"{effort.stored} training prompts, 8 each.\n"
        f"- Validation every {effort.every} steps: {effort.validation_prompts} prompts, "
        f"{effort.validation_samples} answers each."
    )
