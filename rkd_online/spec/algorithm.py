"""The algorithms a job can ask for, one model each, told apart by ``type``."""

from typing import Annotated, Literal

from pydantic import Field

from rkd_online.spec.base import SpecModel

Fraction = Annotated[float, Field(ge=0, le=1)]
ClipLow = Annotated[float, Field(ge=0, lt=1)]


class Clipped(SpecModel):
    """What every clipped surrogate takes."""

    clip_low: ClipLow = 0.2
    """The importance ratio is clipped from below at 1 - clip_low."""
    clip_high: Annotated[float, Field(ge=0)] = 0.28
    """The importance ratio is clipped from above at 1 + clip_high."""
    advantage_epsilon: Annotated[float, Field(gt=0)] = 1e-6
    """Added to the group's reward standard deviation before dividing by it."""


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
