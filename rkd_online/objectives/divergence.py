"""Divergences between teacher and policy over candidates and the rest.

Tokens that are no candidates count as one: what is left of two distributions when outcomes are put
together never lies further apart than they did (data processing inequality), so every value here is
at most that of the whole vocabulary.
"""

import math
from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor

from rkd_online.objectives.tokens import expect_shape
from rkd_online.spec.divergence import AnyDivergence, ForwardKl, GeneralizedJsd, ReverseKl


@dataclass(frozen=True, slots=True)
class CandidateTokens:
    """Log-probs (nats) ``[B, T, k + 1]`` of the teacher's k candidates at each token and, in the
    last place, of all other tokens together. ``policy`` carries gradient."""

    policy: Tensor
    teacher: Tensor


def teacher_divergence(
    divergence: AnyDivergence, candidates: CandidateTokens, mask: Tensor
) -> Tensor:
    """The divergence at each token, nats ``[B, T]``, 0 where the bool ``mask`` is False.

    What either side gives no probability to, exactly, takes no part: an entry that stands for none,
    and the rest where nothing is left over. ``ValueError`` for a wrong shape.

    Sources: forward and reverse KL, and the generalized Jensen-Shannon divergence of arXiv
    2306.13649, section 2.
    """
    shape = (*mask.shape, candidates.policy.shape[-1])
    expect_shape("candidates.policy", candidates.policy, shape)
    expect_shape("candidates.teacher", candidates.teacher, shape)
    given = candidates.teacher.to(candidates.policy.dtype)
    real = mask.unsqueeze(-1) & (given != -torch.inf) & (candidates.policy != -torch.inf)
    # Cleared before any arithmetic: 0 times infinity would be NaN, in the gradient too.
    teacher, policy = torch.where(real, given, 0), torch.where(real, candidates.policy, 0)
    taught, learned = torch.where(real, teacher.exp(), 0), torch.where(real, policy.exp(), 0)
    match divergence:
        case ForwardKl():
            return (taught * (teacher - policy)).sum(-1)
        case ReverseKl():
            return (learned * (policy - teacher)).sum(-1)
        case GeneralizedJsd(beta=beta):
            mixture = torch.logaddexp(teacher + math.log(beta), policy + math.log1p(-beta))
            from_teacher = (taught * (teacher - mixture)).sum(-1)
            return beta * from_teacher + (1 - beta) * (learned * (policy - mixture)).sum(-1)
        case _:
            assert_never(divergence)
