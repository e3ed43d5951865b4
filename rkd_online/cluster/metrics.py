"""Step reports as Ray metrics, for the dashboard and for Prometheus.

Ray prefixes every name with ``ray_``. Tags are the job and, where it means something, the stage:
never a step or a rollout, each of which would be a series of its own.
"""

from ray.util.metrics import Gauge

from rkd_online.types import StepReport

GAUGES = {
    "reward/mean": ("rkd_reward_mean", "Mean reward of the step's rollouts."),
    "policy/kl_teacher": ("rkd_kl_teacher_nats", "Reverse KL to the teacher on sampled tokens."),
    "policy/kl_reference": ("rkd_kl_reference_nats", "KL to the reference on sampled tokens."),
    "teacher/divergence": ("rkd_teacher_divergence_nats", "Divergence from the teacher's top k."),
    "policy/clip_low_share": ("rkd_clip_low_share", "Share of tokens cut by the lower clip."),
    "policy/clip_high_share": ("rkd_clip_high_share", "Share of tokens cut by the upper clip."),
    "policy/clamp_low_share": ("rkd_clamp_low_share", "Share of tokens at the lower clamp."),
    "policy/clamp_high_share": ("rkd_clamp_high_share", "Share of tokens at the upper clamp."),
    "sampler/mismatch_mean": ("rkd_sampler_mismatch_nats", "Sampler's log-probs from learner's."),
    "sampler/capped_share": ("rkd_capped_share", "Share of tokens with a capped weight."),
    "rollout/stale_groups": ("rkd_stale_groups", "Groups of the step dropped as too old."),
    "rollout/late_groups": ("rkd_late_groups", "Groups of the step dropped as too late."),
    "rollout/flat_groups": ("rkd_flat_groups", "Groups of the step dropped without signal."),
    "loop/core_seconds": ("rkd_core_seconds", "CPU time of all processes in the step."),
    "validation/pass_at_1": ("rkd_validation_pass_at_1", "pass@1 on the validation split."),
}
"""Metric of a step report -> name and description of its gauge."""


class RayMetricsSink:
    """Sets one gauge per metric after every step."""

    def __init__(self, job: str) -> None:
        self._tags = {"job": job}
        self._gauges = {
            metric: Gauge(name, description=text, tag_keys=("job",))
            for metric, (name, text) in GAUGES.items()
        }
        self._step = Gauge("rkd_step", description="Steps done.", tag_keys=("job",))
        self._staleness = Gauge(
            "rkd_staleness_versions",
            description="Learner's weight version minus that of the oldest token.",
            tag_keys=("job",),
        )
        self._seconds = Gauge(
            "rkd_stage_seconds",
            description="Seconds of the last step by stage.",
            tag_keys=("job", "stage"),
        )
        self._idle = Gauge(
            "rkd_idle_share",
            description="Share of the last step in which the role did nothing.",
            tag_keys=("job", "role"),
        )
        self._stages: set[str] = set()
        self._tokens = Gauge(
            "rkd_tokens_per_second",
            description="Completion tokens per second of the role's work in the last step.",
            tag_keys=("job", "role"),
        )

    def report(self, report: StepReport) -> None:
        """Set every gauge that the step has a value for."""
        self._step.set(report.step, self._tags)
        self._staleness.set(report.staleness, self._tags)
        for metric, gauge in self._gauges.items():
            if metric in report.metrics:
                gauge.set(report.metrics[metric], self._tags)
        # A gauge keeps its value: a stage that this step did not have would show an older step's.
        self._stages |= report.timings.keys()
        for stage in self._stages:
            self._seconds.set(report.timings.get(stage, 0.0), self._tags | {"stage": stage})
        for role in ("generator", "scorer", "learner"):
            idle = report.metrics.get(f"idle/{role}_share")
            if idle is not None:
                self._idle.set(idle, self._tags | {"role": role})
            tokens = report.metrics.get(f"throughput/{role}_tokens_per_second")
            if tokens is not None:
                self._tokens.set(tokens, self._tags | {"role": role})

    def event(self, type: str, data: dict[str, object]) -> None:
        """Events are no metrics."""

    def close(self) -> None:
        """Ray ends its series with the process."""
