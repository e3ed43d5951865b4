"""Every metric that a step can report, listed once.

A name is ``stage/quantity``. Means are over sequences of their token means unless said
otherwise; with ``aggregation.type`` token_mean those of ``policy/`` and of a divergence are over
tokens.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """The unit of a metric and what it says."""

    unit: str
    meaning: str


_SHARE = "share"
_NATS = "nats"
_TOKENS_PER_SECOND = "tokens/s"

METRICS = {
    "reward/mean": Metric("reward", "Mean reward of the step's rollouts."),
    "reward/std": Metric("reward", "Standard deviation of those rewards."),
    "reward/correct_share": Metric(_SHARE, "Rollouts that the verdict calls correct."),
    "reward/no_signal_share": Metric(_SHARE, "Groups whose rewards are equal: no advantage."),
    "reward/failed_timeout": Metric(
        "rollouts", "Left out: a judgement took longer than judging.seconds."
    ),
    "reward/failed_crash": Metric("rollouts", "Left out: a judgement ended its process."),
    "reward/failed_memory": Metric(
        "rollouts", "Left out: a judgement needed more than judging.memory_mib."
    ),
    "reward/failed_error": Metric(
        "rollouts", "Left out: an installed reward or a verifier raised."
    ),
    "reward/failed_not_finite": Metric(
        "rollouts", "Left out: a part of the reward was NaN or infinite."
    ),
    "rollout/completion_length": Metric("tokens", "Mean completion length, end token included."),
    "rollout/truncated_share": Metric(_SHARE, "Rollouts cut at the token limit."),
    "rollout/staleness_mean": Metric("versions", "Learner's version minus a token's, all tokens."),
    "rollout/stale_groups": Metric("groups", "Groups dropped as older than max_staleness."),
    "rollout/late_groups": Metric("groups", "Groups dropped after group_timeout_seconds."),
    "rollout/flat_groups": Metric("groups", "Groups dropped as their rewards were all equal."),
    "policy/loss": Metric("loss", "The objective that was minimized."),
    "policy/ratio_mean": Metric("ratio", "Importance ratio of the objective."),
    "policy/clip_low_share": Metric(
        _SHARE,
        "Tokens at which the lower clip binds: out of the update, with cispo weighed by the bound.",
    ),
    "policy/clip_high_share": Metric(
        _SHARE,
        "Tokens at which the upper clip binds: out of the update, with cispo weighed by the bound.",
    ),
    "policy/clamp_low_share": Metric(_SHARE, "Tokens at the lower teacher log-ratio clamp."),
    "policy/clamp_high_share": Metric(_SHARE, "Tokens at the upper teacher log-ratio clamp."),
    "policy/kl_teacher": Metric(_NATS, "Estimate of KL(policy || teacher) per sampled token."),
    "policy/kl_reference": Metric(_NATS, "Estimate of KL(policy || reference) per sampled token."),
    "policy/kl_old_k1": Metric(_NATS, "Estimate k1 of KL(old || policy) per sampled token."),
    "policy/kl_old_k3": Metric(_NATS, "Estimate k3 of KL(old || policy) per sampled token."),
    "policy/entropy": Metric(_NATS, "Entropy of the policy's next-token distribution."),
    "policy/nll": Metric(_NATS, "Negative log-likelihood of the sampled tokens."),
    "teacher/agreement": Metric(
        _SHARE,
        "Pairs of a correct and an incorrect sibling in which the teacher prefers the correct one.",
    ),
    "teacher/divergence": Metric(
        _NATS, "The teacher_divergence of a token, over its candidates and the rest."
    ),
    "teacher/top_k_mass": Metric(
        _SHARE, "Probability that the teacher gives to its candidates together."
    ),
    "phase/index": Metric("phase", "The job's phase, counted from 0."),
    "sampler/mismatch_mean": Metric(_NATS, "Mean distance of sampler and learner log-probs."),
    "sampler/mismatch_max": Metric(_NATS, "Largest such distance of any token."),
    "sampler/weight_mean": Metric("ratio", "Weight of a token: pi(old) / pi(sampler), corrected."),
    "sampler/capped_share": Metric(_SHARE, "Tokens whose weight was capped, or masked out."),
    "optimizer/gradient_norm": Metric("norm", "Norm of the gradient before it is clipped."),
    "optimizer/learning_rate": Metric("rate", "Learning rate of the step."),
    "weights/probe_difference": Metric(
        _NATS, "Largest distance of the probe's log-probs, generators against learner."
    ),
    "validation/pass_at_1": Metric(_SHARE, "Correct answers on the validation split."),
    "throughput/rollouts_per_second": Metric("rollouts/s", "Rollouts per second of the step."),
    "throughput/tokens_per_second": Metric(
        _TOKENS_PER_SECOND, "Completion tokens per second of the step."
    ),
    "throughput/generator_tokens_per_second": Metric(
        _TOKENS_PER_SECOND, "Completion tokens per second of the generators' own work."
    ),
    "throughput/scorer_tokens_per_second": Metric(
        _TOKENS_PER_SECOND, "Completion tokens per second of the scorer's own work."
    ),
    "throughput/learner_tokens_per_second": Metric(
        _TOKENS_PER_SECOND, "Completion tokens per second of the learner's own work."
    ),
    "idle/generator_share": Metric(_SHARE, "The step's time when a generator did nothing, mean."),
    "idle/scorer_share": Metric(_SHARE, "The step's time when a scorer did nothing, mean."),
    "idle/learner_share": Metric(_SHARE, "The step's time when the learner did nothing."),
    "loop/share": Metric(_SHARE, "The step's time when no role worked."),
    "loop/core_seconds": Metric("s", "CPU time of the loop and all roles in the step."),
    "cost/generator_busy_seconds": Metric(
        "s", "Time in which generators worked in the step, added up over them."
    ),
    "cost/scorer_busy_seconds": Metric(
        "s", "Time in which scorers worked in the step, added up over them."
    ),
    "cost/learner_busy_seconds": Metric(
        "s", "Time in which learners worked in the step, added up over them."
    ),
    "cost/generator_core_seconds": Metric("s", "CPU time of the generators in the step."),
    "cost/scorer_core_seconds": Metric("s", "CPU time of the scorers in the step."),
    "cost/learner_core_seconds": Metric("s", "CPU time of the learners in the step."),
    "cost/loop_core_seconds": Metric("s", "CPU time of the loop itself in the step."),
}
"""Metric by name. Clamp shares and ``policy/kl_teacher`` need a teacher, ``policy/kl_reference`` a
phase with a reference, ``teacher/divergence`` and ``teacher/top_k_mass`` one with a divergence,
``teacher/agreement`` a teacher and a group with a correct and an incorrect sibling, validation its
step, core-seconds of a role processes of its own: `rkd run` has one for all."""

PARTS = {
    "reward/mean": Metric("reward", "Mean reward of the part's rollouts in the step."),
    "reward/correct_share": Metric(_SHARE, "Those of them that the verdict calls correct."),
    "sampler/kl_teacher": Metric(
        _NATS, "Estimate of KL(sampler || the part's teacher) per sampled token."
    ),
    "teacher/agreement": Metric(
        _SHARE, "Such pairs of the part in which its teacher prefers the correct one."
    ),
    "validation/pass_at_1": Metric(_SHARE, "Correct answers to the part's validation prompts."),
    "idle/scorer_share": Metric(
        _SHARE, "The step's time when a scorer of their teacher did nothing, mean."
    ),
}
"""What a job with a mixture reports by part, without the part's name behind it."""
COEFFICIENT = Metric("", "Value of a coefficient that the phase anneals, or that was changed.")


def metric_of(name: str) -> Metric | None:
    """What a reported name means, also of one part or of a moving coefficient; None for what
    this version does not report."""
    if name in METRICS:
        return METRICS[name]
    stage, _, quantity = name.partition("/")
    if stage == "phase" and quantity:
        return COEFFICIENT
    quantity, _, part = quantity.partition("/")
    return PARTS.get(f"{stage}/{quantity}") if part else None
