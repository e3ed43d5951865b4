"""Log importance ratios, ``[B, T]`` in nats, one function per way of anchoring the policy."""

from torch import Tensor

from rkd_online.objectives.tokens import SampledTokens, TaughtTokens
from rkd_online.spec.algorithm import Averaged, Gspo, Rlad


def old_policy_log_ratio(algorithm: Averaged, tokens: SampledTokens) -> Tensor:
    """log pi(theta) - log pi(old). Source: arXiv 2402.03300 eq. 3."""
    return tokens.policy - tokens.old


def sequence_log_ratio(algorithm: Gspo, tokens: SampledTokens) -> Tensor:
    """The mean of a sequence's log-ratios, the same at each of its tokens.

    A token's share of the gradient goes to that token alone, so that a weight of 0 takes a token
    out. Where all tokens of a sequence weigh the same, value and gradient are those of one ratio
    per sequence. Source: arXiv 2507.18071 eq. 7, in the form of its section 4.3 (GSPO-token).
    """
    policy = tokens.policy.detach()
    lengths = tokens.mask.sum(dim=1, keepdim=True).clamp(min=1)
    mean = (policy - tokens.old).sum(dim=1, keepdim=True) / lengths
    return mean + (tokens.policy - policy)


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
