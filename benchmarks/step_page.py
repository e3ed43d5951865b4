"""What the step benchmark found, as rows with goals and as the grids behind them."""

import statistics
from dataclasses import dataclass
from typing import Final

from benchmarks.results import Figure, Goal, Row
from benchmarks.step_cases import ROUNDS, THREADS, Case, JobTimes, StepTimes
from benchmarks.trl_environment import pins, torch_pin
from rkd_online.spec.model_files import read_model

TRL, SYNCHRONOUS, PIPELINED = "TRL", "ours, synchronous", "ours, pipelined"
SIDES: Final = (TRL, SYNCHRONOUS, PIPELINED)


@dataclass(frozen=True, slots=True)
class Tried:
    """One line of a grid: what it ran at, or why there are no times."""

    words: str
    found: StepTimes | str


@dataclass(frozen=True, slots=True)
class Measured:
    """A case, the times of each side at its best setting, and the grids these were chosen from."""

    case: Case
    times: dict[str, StepTimes]
    grids: dict[str, list[Tried]]
    jobs: dict[str, JobTimes]
    """Of our sides, the last job each."""

    def ratio(self, side: str) -> float:
        """Rollouts per second of a side over TRL's."""
        return self.times[side].rollouts_per_second / self.times[TRL].rollouts_per_second


def rows(one: Measured) -> list[Row]:
    """The ratios first, then the model's size and what each side ran at."""
    name = one.case.name
    return [
        Goal(
            what=f"{name}: pipelined over TRL",
            value=one.ratio(PIPELINED),
            unit="x",
            bound="at least",
            limit=one.case.at_least,
        ),
        Figure(what=f"{name}: synchronous over TRL", value=one.ratio(SYNCHRONOUS), unit="x"),
        Figure(
            what=f"{name}: parameters",
            value=read_model(one.case.model_folder()).parameters / 1e6,
            unit="million",
        ),
        *(row for side in SIDES for row in _speeds(f"{name}: {side}", one.times[side])),
    ]


def _speeds(what: str, times: StepTimes) -> list[Row]:
    """Over the whole window, and of the median step."""
    return [
        Figure(what=what, value=times.rollouts_per_second, unit="rollouts/s"),
        Figure(
            what=f"{what}, median step", value=times.median_rollouts_per_second, unit="rollouts/s"
        ),
        Figure(what=what, value=times.tokens_per_second, unit="completion tokens/s"),
        Figure(
            what=f"{what}, median step",
            value=times.median_tokens_per_second,
            unit="completion tokens/s",
        ),
    ]


def notes(one: Measured) -> list[str]:
    """What was compared, how long, and the grids."""
    return [_compared(), _counts(one), _parts(one.jobs), _grids(one.grids)]


def _compared() -> str:
    versions = {pin.partition("==")[0]: pin for pin in pins("transformers")}
    return (
        f"{versions['trl']}, {versions['transformers']} and {torch_pin()} in an environment of "
        f"their own; {THREADS} threads in all on each side. GRPO: one optimizer step (AdamW) for "
        "each batch of fresh rollouts, no reference model. Both sides take the same prompts in the "
        "same order. Rates are over all timed steps of all rounds, warm-up left out; of a "
        "pipelined job also the last steps, beside which nothing is sampled any more. The setting "
        "of each side is the fastest of its grid, on fewer steps. TRL's colocated vLLM fails on "
        "CPUs when it first updates the weights, which vLLM packs there; `vllm with unpacked "
        "weights` is our repair of that and no setting. Its server mode asks for a CUDA device."
    )


def _counts(one: Measured) -> str:
    """Steps of each run."""
    case = one.case
    counts = (
        f"Each setting was tried on {case.tried} timed and {case.tried_warmup} warm-up steps, a "
        "pipelined one on at least `max_staleness` warm-up steps; then the best of each side ran "
        f"{ROUNDS} times, in turn, on {case.steps} timed and {case.warmup} warm-up steps."
    )
    if not case.thin_grid:
        return counts
    return (
        f"{counts} A step of TRL's took {statistics.median(one.times[TRL].seconds):.0f} s: these "
        "grids are the settings worth trying after the grid of the 10M case."
    )


def _grids(grids: dict[str, list[Tried]]) -> str:
    lines = ["| side | setting | rollouts/s | tokens/s |", "|---|---|---:|---:|"]
    lines += [_line(side, tried) for side in SIDES for tried in grids[side]]
    return "\n".join(lines)


def _parts(jobs: dict[str, JobTimes]) -> str:
    """Where the time of our jobs goes."""
    lines = ["Medians over the timed steps of each side's last job:", "", *_header(list(jobs))]
    names = dict.fromkeys(name for job in jobs.values() for name in job.parts)
    for name in names:
        values = [f"{job.parts[name]:,.4g}" if name in job.parts else "" for job in jobs.values()]
        lines.append(f"| {name} | {' | '.join(values)} |")
    return "\n".join(lines)


def _header(columns: list[str]) -> list[str]:
    return [f"| | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]


def _line(side: str, tried: Tried) -> str:
    if isinstance(tried.found, str):
        why = tried.found.replace("|", "\\|")
        return f"| {side} | {tried.words} | {why} | |"
    found = tried.found
    return (
        f"| {side} | {tried.words} | {found.rollouts_per_second:,.4g} | "
        f"{found.tokens_per_second:,.4g} |"
    )
