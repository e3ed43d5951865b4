"""Step reports in few words."""

from collections.abc import Mapping, Sequence
from typing import Any

from rkd_online.run.advice.adviser import said
from rkd_online.spec import JobSpec
from rkd_online.types import StepReport
from tests.unit.spec.job import job

HEALTHY = {
    "reward/mean": 0.5,
    "reward/std": 0.5,
    "reward/correct_share": 0.5,
    "reward/no_signal_share": 0.25,
    "rollout/completion_length": 20.0,
    "rollout/truncated_share": 0.0,
    "policy/kl_old_k3": 0.0,
    "policy/kl_teacher": 0.3,
    "policy/entropy": 0.2,
    "policy/clamp_low_share": 0.0,
    "policy/clamp_high_share": 0.05,
    "teacher/agreement": 0.8,
    "phase/index": 0.0,
}
"""What a step of a job with rlad reports that nothing is wrong with."""


def spec(**changes: Any) -> JobSpec:
    return JobSpec.model_validate(job(steps=500, **changes))


def reports(series: Mapping[str, Sequence[float]]) -> list[StepReport]:
    """A report a step, healthy but for the metrics whose values are given."""
    steps = max(map(len, series.values()))
    return [
        StepReport(
            step + 1,
            step + 1,
            0,
            {},
            HEALTHY | {name: values[step] for name, values in series.items() if step < len(values)},
        )
        for step in range(steps)
    ]


def warned(
    series: Mapping[str, Sequence[float]], job_spec: JobSpec | None = None
) -> list[tuple[int, str]]:
    """Step and name of every warning."""
    return [(one.step, one.name) for one in said(job_spec or spec(), reports(series))]


def message(series: Mapping[str, Sequence[float]], job_spec: JobSpec | None = None) -> str:
    """What the one warning says."""
    (one,) = said(job_spec or spec(), reports(series))
    return one.message
