"""What the pieces of the comparison leave behind: small JSON files that are kept."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from benchmarks.results import commit, machine
from rkd_online.types import StepReport

CURVES: Final = (
    "reward/mean",
    "rollout/completion_length",
    "rollout/truncated_share",
    "policy/kl_teacher",
    "policy/entropy",
    "policy/clip_low_share",
    "policy/clip_high_share",
    "policy/clamp_low_share",
    "policy/clamp_high_share",
    "optimizer/gradient_norm",
    "validation/pass_at_1",
)
DIGITS: Final = 4
COST: Final = "loop/core_seconds"
VALIDATION: Final = "validation/pass_at_1"


class Kept(BaseModel):
    """Base of the records."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Examined(Kept):
    """A model on the test split, by prompt: ``correct`` of ``samples`` answers at temperature 1,
    and of one greedy answer."""

    samples: int
    groups: tuple[str, ...]
    correct: tuple[int, ...]
    greedy: tuple[int, ...]
    tokens: float
    truncated: float


class Baseline(Kept):
    """Both models of a cell before any training."""

    teacher: Examined
    student: Examined
    commit: str
    machine: str


class Prices(Kept):
    """Core-seconds on one machine: of the teacher's ``rows`` samples, and of a step by method."""

    rows: int
    collecting: float
    steps: dict[str, float]
    commit: str
    machine: str


class Trained(Kept):
    """One job. ``curves`` have a value for each step, None where the step has none."""

    method: str
    rate: float
    seed: int
    steps: int
    compared: int
    curves: dict[str, tuple[float | None, ...]]
    tests: dict[int, Examined]
    commit: str
    machine: str

    def validated(self) -> dict[int, float]:
        """pass@1 on the validation split by step."""
        values = self.curves[VALIDATION]
        return {step: value for step, value in enumerate(values, 1) if value is not None}


def trained(
    piece: Mapping[str, Any], reports: Sequence[StepReport], tests: Mapping[int, Examined]
) -> Trained:
    """The record of a job from its step reports."""
    curves = {
        name: tuple(_rounded(report.metrics.get(name)) for report in reports)
        for name in CURVES
        if any(name in report.metrics for report in reports)
    }
    return Trained(
        **{name: value for name, value in piece.items() if name != "tested"},
        curves=curves,
        tests=dict(tests),
        commit=commit(),
        machine=machine(),
    )


def step_price(reports: Sequence[StepReport]) -> float:
    """Core-seconds of a step: the mean without the first, in which much is done for the first time,
    and without those that validated, since no method should pay for being watched. A method that
    switches counts with both of its halves."""
    plain = [one.metrics[COST] for one in reports[1:] if VALIDATION not in one.metrics]
    return statistics.mean(plain)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
