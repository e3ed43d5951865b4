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


class Collected(Kept):
    """The teacher's samples."""

    rows: int
    core_seconds: float


class Trained(Kept):
    """One job. ``curves`` have a value for each step, None where the step has none;
    ``core_seconds`` are each step's, validation left out."""

    method: str
    rate: float
    seed: int
    steps: int
    compared: int
    core_seconds: tuple[float, ...]
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
        core_seconds=without_validation(reports),
        curves=curves,
        tests=dict(tests),
        commit=commit(),
        machine=machine(),
    )


def without_validation(reports: Sequence[StepReport]) -> tuple[float, ...]:
    """Core-seconds of each step. A step that also validated counts as the median of the others, so
    that no method pays for being watched; where all did, as it is."""
    plain = [one.metrics[COST] for one in reports if VALIDATION not in one.metrics]
    typical = statistics.median(plain) if plain else None
    return tuple(
        round(
            typical if typical is not None and VALIDATION in one.metrics else one.metrics[COST],
            DIGITS,
        )
        for one in reports
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
