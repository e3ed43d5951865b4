"""Advantages that the teacher has a part in, ``[B, T]``, one function per way of mixing it in.

``A`` is the advantage of the reward and ``d`` = log pi(teacher) - log pi(old) in nats, neither with
gradient. arXiv 2609.04108, table 1, puts the methods into this one form, and gives those that were
made for a teacher who sees the answer one that does not.
"""

import torch
from torch import Tensor

from rkd_online.objectives.outcomes import Groups, Outcomes
from rkd_online.objectives.tokens import TaughtTokens
from rkd_online.spec.algorithm import Averaged, Hdpo, Kdrl, KdrlMask, Rlsd, Srpo, Topd


def teacher_log_ratio(algorithm: Averaged, tokens: TaughtTokens, outcomes: Outcomes) -> Tensor:
    """d, not clamped. Sources: thinkingmachines.ai/blog/on-policy-distillation (2025), arXiv
    2609.04108 eq. 3."""
    return _distance(tokens)


def added(algorithm: Kdrl, tokens: TaughtTokens, outcomes: Outcomes) -> Tensor:
    """A + beta * d: at lp = lo the gradient of arXiv 2506.02208 eq. 8 with its k2 term."""
    return tokens.advantages + algorithm.beta * _distance(tokens)


def added_where_wrong(algorithm: KdrlMask, tokens: TaughtTokens, outcomes: Outcomes) -> Tensor:
    """A in a correct rollout, A + beta * d in a wrong one. Source: arXiv 2506.02208 section 3.4."""
    taught = tokens.advantages + algorithm.beta * _distance(tokens)
    return torch.where(outcomes.correct, tokens.advantages, taught)


def added_where_all_wrong(algorithm: Hdpo, tokens: TaughtTokens, outcomes: Outcomes) -> Tensor:
    """A + beta * d where no sibling is correct, A elsewhere. Source: arXiv 2603.23871, section 3.2,
    with d on the policy's own tokens in place of a divergence on other rollouts."""
    taught = tokens.advantages + algorithm.beta * _distance(tokens)
    return torch.where(outcomes.group_wrong, taught, tokens.advantages)


def routed(algorithm: Srpo, tokens: TaughtTokens, outcomes: Outcomes) -> Tensor:
    """A in a correct rollout, d in a wrong one. Source: arXiv 2604.02288, section 3.1."""
    return torch.where(outcomes.correct, tokens.advantages, _distance(tokens))


def scaled(algorithm: Rlsd, tokens: TaughtTokens, outcomes: Outcomes) -> Tensor:
    """((1 - mix) + mix * clip(exp(sign(A) * d), 1 - mix_clip, 1 + mix_clip)) * A.

    The factor is never negative, so the reward alone decides the sign. Source: arXiv 2604.03128
    eq. 13-15.
    """
    distance = _distance(tokens)
    evidence = torch.where(tokens.advantages > 0, distance, -distance).exp()
    factor = evidence.clamp(1 - algorithm.mix_clip, 1 + algorithm.mix_clip)
    return ((1 - algorithm.mix) + algorithm.mix * factor) * tokens.advantages


def standardized_returns(algorithm: Topd, tokens: TaughtTokens, outcomes: Outcomes) -> Tensor:
    """Each token's return relative to all tokens of its group: (return - mean) / (population std +
    epsilon). The groups have to be whole.

    A token's reward is log(w * exp(d) + 1 - w), the log-ratio to the old policy of its mixture with
    the teacher; its return adds the mean reward of the tokens after it. Source: arXiv 2607.04751,
    algorithm 1.
    """
    # In float64: sums over thousands of tokens, and differences of them.
    rewards = _mixture_reward(_distance(tokens).double(), algorithm.teacher_weight)
    found = _standardized(
        _returns(rewards, tokens.mask), tokens.mask, outcomes.groups, algorithm.advantage_epsilon
    )
    return found.to(tokens.policy.dtype)


def _distance(tokens: TaughtTokens) -> Tensor:
    return tokens.teacher - tokens.old


def _mixture_reward(distance: Tensor, weight: float) -> Tensor:
    # Two forms of one value: each is taken where it cannot overflow, and both are 0 at distance 0.
    favoured = distance + ((1 - weight) * (-distance).expm1()).log1p()
    return torch.where(distance > 0, favoured, (weight * distance.expm1()).log1p())


def _returns(rewards: Tensor, mask: Tensor) -> Tensor:
    later = _after(rewards) / _after(mask.long()).clamp(min=1)
    return torch.where(mask, rewards + later, 0)


def _after(values: Tensor) -> Tensor:
    """The sum of all later values of a row."""
    return values.flip(1).cumsum(1).flip(1) - values


def _standardized(values: Tensor, mask: Tensor, groups: Groups, epsilon: float) -> Tensor:
    count = groups.total(mask.sum(dim=1)).clamp(min=1)
    mean = groups.total(values.sum(dim=1)) / count
    centred = torch.where(mask, values - mean[groups.place].unsqueeze(1), 0)
    scale = (groups.total(centred.square().sum(dim=1)) / count).sqrt() + epsilon
    return centred / scale[groups.place].unsqueeze(1)
