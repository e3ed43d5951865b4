"""The divergences between teacher and policy that a loss can have a term of."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PositiveFloat, PositiveInt

from rkd_online.spec.base import SpecModel


class NoDivergence(SpecModel):
    """The loss has no such term."""

    type: Literal["none"] = "none"
    """Names this choice."""


class Divergence(SpecModel):
    """What every divergence takes: it is between what teacher and policy say of the teacher's ``k``
    most probable tokens and of all others together."""

    k: PositiveInt = 64
    """How many of the teacher's most probable tokens are told apart, at each sampled token."""
    weight: PositiveFloat
    """The loss gets this times the divergence."""


class ForwardKl(Divergence):
    """KL(teacher || policy): the policy is to cover all that the teacher would say."""

    type: Literal["forward"]
    """Names this divergence."""


class ReverseKl(Divergence):
    """KL(policy || teacher): the policy is to say nothing that the teacher would not."""

    type: Literal["reverse"]
    """Names this divergence."""


class GeneralizedJsd(Divergence):
    """beta KL(teacher || m) + (1 - beta) KL(policy || m) with the mixture m = beta teacher +
    (1 - beta) policy: bounded (GKD, arXiv 2306.13649, section 2)."""

    type: Literal["jsd"]
    """Names this divergence."""
    beta: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the teacher in the mixture: near 0 it pulls as beta times ``forward`` does, near
    1 as 1 - beta times ``reverse``."""


AnyDivergence: TypeAlias = ForwardKl | ReverseKl | GeneralizedJsd
TeacherDivergence = Annotated[NoDivergence | AnyDivergence, Field(discriminator="type")]
