"""The algorithms a job can ask for, one model each, told apart by ``type``."""

from typing import Annotated, Literal

from pydantic import Field

from rkd_online.spec.base import SpecModel

Fraction = Annotated[float, Field(ge=0, le=1)]
ClipLow = Annotated[float, Field(ge=0, lt=1)]


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


class Clipped(SpecModel):
    """What every clipped surrogate takes."""

    clip_low: ClipLow = 0.2
    """The importance ratio is clipped from below at 1 - clip_low."""
    clip_high: Annotated[float, Field(ge=0)] = 0.28
    """The importance ratio is clipped from above at 1 + clip_high."""
    advantage_epsilon: Annotated[float, Field(gt=0)] = 1e-6
    """Added to the group's reward standard deviation before dividing by it."""
    sampler_correction: SamplerCorrection = TruncatedWeights()
    """How tokens count that the old policy would have sampled with another probability than the
    sampler did, which ran in another engine and, with ``rollout.max_staleness``, on older weights.
    """


class Grpo(Clipped):
    """Group-relative policy optimization: reward alone, no teacher (arXiv 2402.03300)."""

    type: Literal["grpo"] = "grpo"
    """Names this algorithm."""


class Rlad(Clipped):
    """Trust Region Ratio Distillation: the clipped ratio is anchored on a mixture of the old policy
    and the teacher (arXiv 2602.22495, eq. 3-4)."""

    type: Literal["rlad"] = "rlad"
    """Names this algorithm."""
    alpha: Fraction = 0.5
    """Weight of the old policy in the anchor: 1 is GRPO, towards 0 the teacher alone."""
    teacher_log_ratio_clamp: Annotated[float, Field(gt=0)] = 1.0
    """The log-ratio of policy to teacher is clamped to plus or minus this many nats."""


Algorithm = Annotated[Grpo | Rlad, Field(discriminator="type")]

TEACHER_METHODS = frozenset({"rlad"})
"""The ``type`` of every algorithm that needs teacher log-probs."""
