"""Log importance ratios, ``[B, T]`` in nats, one function per way of anchoring the policy."""

from torch import Tensor

from rkd_online.objectives.tokens import SampledTokens, TaughtTokens
from rkd_online.spec.algorithm import Clipped, Rlad


def old_policy_log_ratio(algorithm: Clipped, tokens: SampledTokens) -> Tensor:
    """log pi(theta) - log pi(old). Source: arXiv 2402.03300 eq. 3."""
    return tokens.policy - tokens.old


def teacher_mixture_log_ratio(algorithm: Rlad, tokens: TaughtTokens) -> Tensor:
    """The policy against the geometric mixture old^alpha * teacher^(1 - alpha).

    alpha * (lp - lo) + (1 - alpha) * clamp(lp - lt, -c0, c0). Where the clamp binds, the gradient
    of the teacher's part is 0 and the alpha share remains. Source: arXiv 2602.22495 eq. 3.
    """
    from_old = old_policy_log_ratio(algorithm, tokens)
    if algorithm.alpha == 1:  # GRPO, bit for bit: 0 * NaN of a teacher without weight is NaN
        return from_old
    bound = algorithm.teacher_log_ratio_clamp
    from_teacher = (tokens.policy - tokens.teacher).clamp(-bound, bound)
    return algorithm.alpha * from_old + (1 - algorithm.alpha) * from_teacher
