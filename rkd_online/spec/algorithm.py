"""The algorithms a job can ask for, one model each, told apart by ``type``."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from rkd_online.spec.base import SpecModel
from rkd_online.spec.divergence import NoDivergence, TeacherDivergence

Fraction = Annotated[float, Field(ge=0, le=1)]
ClipLow = Annotated[float, Field(ge=0, lt=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class SequenceMean(SpecModel):
    """Sequences weigh the same: the mean over each one's tokens, then over sequences, as in GRPO
    (arXiv 2402.03300)."""

    type: Literal["sequence_mean"] = "sequence_mean"
    """Names this aggregation."""


class TokenMean(SpecModel):
    """Tokens weigh the same, so a longer sequence weighs more, as in DAPO (arXiv 2503.14476)."""

    type: Literal["token_mean"]
    """Names this aggregation."""


class ConstantLength(SpecModel):
    """Each sequence's sum is divided by one length for all, as in Dr. GRPO (arXiv 2503.20783)."""

    type: Literal["constant"]
    """Names this aggregation."""
    tokens: PositiveInt
    """That length; in the paper the longest completion, ``rollout.max_new_tokens``."""


Aggregation = Annotated[SequenceMean | TokenMean | ConstantLength, Field(discriminator="type")]


class TruncatedWeights(SpecModel):
    """Each token weighs pi(old) / pi(sampler), at most ``cap``."""

    type: Literal["truncate"] = "truncate"
    """Names this correction."""
    cap: Annotated[float, Field(ge=1)] = 2.0
    """Largest weight of a token."""


class MaskedWeights(SpecModel):
    """Each token weighs pi(old) / pi(sampler); one outside the bounds is left out."""

    type: Literal["mask"]
    """Names this correction."""
    low: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Smallest weight of a token that counts."""
    high: Annotated[float, Field(ge=1)] = 2.0
    """Largest weight of a token that counts."""


class NoWeights(SpecModel):
    """Every token weighs 1, as if the old policy had sampled it: strictly on-policy jobs alone."""

    type: Literal["none"]
    """Names this correction."""


SamplerCorrection = Annotated[
    TruncatedWeights | MaskedWeights | NoWeights, Field(discriminator="type")
]


class NoReference(SpecModel):
    """Nothing holds the policy near a reference model."""

    type: Literal["none"] = "none"
    """Names this choice."""


class ReferencePenalty(SpecModel):
    """``beta`` times an estimate of the policy's distance from a reference model, in the loss."""

    type: Literal["k1", "k2", "k3"]
    """The estimator: as a loss, k2 has the gradient of KL(policy || reference), k3 that of
    KL(reference || policy), and k1 one of mean zero."""
    beta: Positive
    """Weight of the estimate."""


ReferenceKl = Annotated[NoReference | ReferencePenalty, Field(discriminator="type")]


class Averaged(SpecModel):
    """What every loss takes."""

    aggregation: Aggregation = SequenceMean()
    """How the tokens of a batch make one number."""


class Clipped(Averaged):
    """What every loss with an importance ratio takes."""

    clip_low: ClipLow = 0.2
    """The importance ratio is clipped from below at 1 - clip_low."""
    clip_high: NonNegative = 0.28
    """The importance ratio is clipped from above at 1 + clip_high."""
    sampler_correction: SamplerCorrection = TruncatedWeights()
    """How tokens count that the old policy would have sampled with another probability than the
    sampler did, which ran in another engine and, with ``rollout.max_staleness``, on older weights.
    """
    reference_kl: ReferenceKl = NoReference()
    """What holds the policy near the reference model, which is the policy as the job loaded it."""
    teacher_divergence: TeacherDivergence = NoDivergence()
    """What draws the policy's whole distribution towards the teacher's, beside the method itself;
    it needs a teacher, whatever the method."""


class Rewarded(Clipped):
    """What every method takes whose advantage comes from the reward."""

    advantage_epsilon: Positive = 1e-6
    """Added to the group's reward standard deviation before dividing by it."""
    advantage_scale: Literal["std", "none"] = "std"
    """What a reward's distance from its group's mean is divided by: the group's standard deviation,
    or nothing, as in Dr. GRPO (arXiv 2503.20783)."""


class Grpo(Rewarded):
    """Group-relative policy optimization: reward alone, no teacher (arXiv 2402.03300)."""

    type: Literal["grpo"] = "grpo"
    """Names this algorithm."""


class Gspo(Rewarded):
    """Group sequence policy optimization: one importance ratio for a whole sequence, no teacher
    (arXiv 2507.18071)."""

    type: Literal["gspo"] = "gspo"
    """Names this algorithm."""
    clip_low: ClipLow = 3e-4
    """The sequence's importance ratio is clipped from below at 1 - clip_low."""
    clip_high: NonNegative = 4e-4
    """The sequence's importance ratio is clipped from above at 1 + clip_high."""


class Cispo(Rewarded):
    """Clipped importance weights: no token leaves the update, no teacher (arXiv 2506.13585)."""

    type: Literal["cispo"] = "cispo"
    """Names this algorithm."""
    clip_low: Fraction = 1.0
    """A token's weight is at least 1 - clip_low; 1 leaves it unbounded from below."""
    clip_high: NonNegative = 4.0
    """A token's weight is at most 1 + clip_high."""


class Rlad(Rewarded):
    """Trust Region Ratio Distillation: the clipped ratio is anchored on a mixture of the old policy
    and the teacher (arXiv 2602.22495, eq. 3-4)."""

    type: Literal["rlad"] = "rlad"
    """Names this algorithm."""
    alpha: Fraction = 0.5
    """Weight of the old policy in the anchor: 1 is GRPO, towards 0 the teacher alone."""
    teacher_log_ratio_clamp: Positive = 1.0
    """The log-ratio of policy to teacher is clamped to plus or minus this many nats."""


class Opd(Clipped):
    """On-policy distillation: the teacher's log-ratio is every token's advantage, no reward
    (thinkingmachines.ai, 2025)."""

    type: Literal["opd"] = "opd"
    """Names this algorithm."""


class Kdrl(Rewarded):
    """Reward and teacher added up (arXiv 2506.02208)."""

    type: Literal["kdrl"] = "kdrl"
    """Names this algorithm."""
    beta: NonNegative = 0.002
    """Weight of the teacher's log-ratio in a token's advantage."""


class KdrlMask(Rewarded):
    """Reward everywhere, the teacher added where a rollout is wrong (arXiv 2506.02208)."""

    type: Literal["kdrl_mask"] = "kdrl_mask"
    """Names this algorithm."""
    beta: NonNegative = 0.002
    """Weight of the teacher's log-ratio in the advantage of a wrong rollout's tokens."""


class Srpo(Rewarded):
    """The reward where a rollout is correct, the teacher where it is wrong (arXiv 2604.02288)."""

    type: Literal["srpo"] = "srpo"
    """Names this algorithm."""


class Hdpo(Rewarded):
    """Reward everywhere, the teacher added where a whole group is wrong (arXiv 2603.23871)."""

    type: Literal["hdpo"] = "hdpo"
    """Names this algorithm."""
    beta: NonNegative = 0.01
    """Weight of the teacher's log-ratio in the advantage of tokens of such a group."""


class Rlsd(Rewarded):
    """The reward decides which way a token moves, the teacher how far (arXiv 2604.03128)."""

    type: Literal["rlsd"] = "rlsd"
    """Names this algorithm."""
    mix: Fraction = 1.0
    """Share of the advantage that the teacher scales: 0 is GRPO."""
    mix_clip: Fraction = 0.2
    """The teacher's factor is clipped to 1 - mix_clip and 1 + mix_clip."""


class Topd(Clipped):
    """Trust Region Policy Distillation: towards a mixture of teacher and old policy, no reward
    (arXiv 2607.04751)."""

    type: Literal["topd"] = "topd"
    """Names this algorithm."""
    teacher_weight: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of the teacher in that mixture: 1 is the teacher alone."""
    advantage_epsilon: Positive = 1e-6
    """Added to the standard deviation of a group's returns before dividing by it."""


class Sft(Averaged):
    """Cross entropy on the correct samples of a store, such as a teacher's: the offline baseline of
    arXiv 2602.22495, section 5. It needs ``rollout.source`` of type ``store``."""

    type: Literal["sft"] = "sft"
    """Names this algorithm."""


Algorithm = Annotated[
    Grpo | Gspo | Cispo | Rlad | Opd | Kdrl | KdrlMask | Srpo | Hdpo | Rlsd | Topd | Sft,
    Field(discriminator="type"),
]

TEACHER_METHODS = frozenset({"rlad", "opd", "kdrl", "kdrl_mask", "srpo", "hdpo", "rlsd", "topd"})
"""The ``type`` of every algorithm that needs teacher log-probs."""

REWARD_DRIVEN = frozenset({"grpo", "gspo", "cispo", "rlad", "rlsd"})
"""The ``type`` of every algorithm that learns nothing from a group whose rewards are all equal,
unless it has a ``teacher_divergence``."""


def needs_teacher(algorithm: Algorithm) -> bool:
    """Whether an algorithm reads what the teacher says of the sampled tokens."""
    return algorithm.type in TEACHER_METHODS or has_divergence(algorithm)


def has_divergence(algorithm: Algorithm) -> bool:
    """Whether the loss has a term of the teacher's distribution."""
    return not isinstance(divergence_of(algorithm), NoDivergence)


def divergence_of(algorithm: Algorithm) -> TeacherDivergence:
    """What draws the policy towards the teacher's distribution; nothing where no one samples."""
    return algorithm.teacher_divergence if isinstance(algorithm, Clipped) else NoDivergence()


def reference_of(algorithm: Algorithm) -> ReferenceKl:
    """What holds the policy near the reference; nothing where no one samples."""
    return algorithm.reference_kl if isinstance(algorithm, Clipped) else NoReference()


def is_reward_driven(algorithm: Algorithm) -> bool:
    """Whether an algorithm learns nothing from a group whose rewards are all equal."""
    return algorithm.type in REWARD_DRIVEN and not has_divergence(algorithm)
