"""Every series that a run gives to Ray's metrics, listed once.

Ray prefixes every name with ``ray_`` and adds labels of its own. Ours are the job and, where it
means something, the role or the stage: never a step or a rollout, each of which would be a series
of its own. All are gauges: Ray drops a gauge soon after its process ends, but keeps a counter for
as long as the node's agent lives, beside that of the job's next attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rkd_online.metrics.names import METRICS


@dataclass(frozen=True, slots=True)
class RunSeries:
    """The unit of a series, its labels, and what it says."""

    unit: str
    labels: tuple[str, ...]
    meaning: str


STEP_GAUGES: Final[Mapping[str, str]] = {
    "rkd_reward_mean": "reward/mean",
    "rkd_correct_share": "reward/correct_share",
    "rkd_no_signal_share": "reward/no_signal_share",
    "rkd_validation_pass_at_1": "validation/pass_at_1",
    "rkd_kl_teacher_nats": "policy/kl_teacher",
    "rkd_kl_reference_nats": "policy/kl_reference",
    "rkd_kl_old_nats": "policy/kl_old_k3",
    "rkd_teacher_divergence_nats": "teacher/divergence",
    "rkd_teacher_agreement_share": "teacher/agreement",
    "rkd_entropy_nats": "policy/entropy",
    "rkd_clip_low_share": "policy/clip_low_share",
    "rkd_clip_high_share": "policy/clip_high_share",
    "rkd_clamp_low_share": "policy/clamp_low_share",
    "rkd_clamp_high_share": "policy/clamp_high_share",
    "rkd_gradient_norm": "optimizer/gradient_norm",
    "rkd_completion_length_tokens": "rollout/completion_length",
    "rkd_truncated_share": "rollout/truncated_share",
    "rkd_rollouts_per_second": "throughput/rollouts_per_second",
    "rkd_step_tokens_per_second": "throughput/tokens_per_second",
    "rkd_loop_share": "loop/share",
    "rkd_staleness_mean_versions": "rollout/staleness_mean",
    "rkd_stale_groups": "rollout/stale_groups",
    "rkd_late_groups": "rollout/late_groups",
    "rkd_flat_groups": "rollout/flat_groups",
    "rkd_sampler_mismatch_nats": "sampler/mismatch_mean",
    "rkd_capped_share": "sampler/capped_share",
    "rkd_probe_difference_nats": "weights/probe_difference",
    "rkd_core_seconds": "loop/core_seconds",
}
"""Gauge -> the metric of a step's report that it shows."""

ROLE_GAUGES: Final[Mapping[str, str]] = {
    "rkd_tokens_per_second": "throughput/{role}_tokens_per_second",
    "rkd_idle_share": "idle/{role}_share",
    "rkd_role_busy_seconds": "cost/{role}_busy_seconds",
    "rkd_role_core_seconds": "cost/{role}_core_seconds",
}
"""Gauge -> the metrics that it shows, one for each of ``ROLES`` that has it."""

ROLES: Final = ("generator", "scorer", "learner", "loop")

_BY_ROLE: Final = ("job", "role")

SERIES: Final[Mapping[str, RunSeries]] = {
    "rkd_step": RunSeries("steps", ("job",), "Steps done."),
    "rkd_steps_planned": RunSeries(
        "steps",
        ("job",),
        "The job's last step as it is known by now, changes and an early stop included.",
    ),
    "rkd_step_timestamp_seconds": RunSeries(
        "s since 1970",
        ("job",),
        "When the last step ended; before the attempt's first one, when the attempt was ready.",
    ),
    "rkd_stage_seconds": RunSeries(
        "s", ("job", "stage"), "Time of a stage in the last step; 0 where that step had none."
    ),
    "rkd_staleness_versions": RunSeries(
        "versions", ("job",), "Learner's weight version minus that of the step's oldest token."
    ),
    **{
        name: RunSeries(METRICS[metric].unit, ("job",), METRICS[metric].meaning)
        for name, metric in STEP_GAUGES.items()
    },
    "rkd_tokens_per_second": RunSeries(
        "tokens/s", _BY_ROLE, "Completion tokens per second of the role's own work."
    ),
    "rkd_idle_share": RunSeries(
        "share", _BY_ROLE, "The step's time when a worker of the role did nothing, mean."
    ),
    "rkd_role_busy_seconds": RunSeries(
        "s", _BY_ROLE, "Time in which workers of the role worked in the step, added up over them."
    ),
    "rkd_role_core_seconds": RunSeries(
        "s", _BY_ROLE, "CPU time of the role's processes in the step."
    ),
}
"""Series by name, without Ray's prefix."""
