"""The loss of one (micro-)batch, for every method of the catalogue."""

from typing import Any

import torch
from torch import Tensor

from rkd_online.objectives.aggregation import BatchMean, loss_mean, metric_mean
from rkd_online.objectives.catalogue import Method, method_for
from rkd_online.objectives.diagnostics import (
    divergence_metrics,
    policy_metrics,
    reference_metrics,
    surrogate_metrics,
)
from rkd_online.objectives.divergence import CandidateTokens, teacher_divergence
from rkd_online.objectives.outcomes import Outcomes
from rkd_online.objectives.reference import reference_penalty
from rkd_online.objectives.surrogate import Surrogate
from rkd_online.objectives.tokens import SampledTokens, sampled_tokens, stream
from rkd_online.spec.algorithm import (
    Algorithm,
    NoReference,
    ReferencePenalty,
    divergence_of,
    reference_of,
)
from rkd_online.spec.divergence import AnyDivergence, Divergence


def policy_loss(
    policy_logprobs: Tensor,
    *,
    old_logprobs: Tensor,
    teacher_logprobs: Tensor | None,
    advantages: Tensor,
    mask: Tensor,
    algorithm: Algorithm,
    correct: Tensor | None = None,
    group_ids: Tensor | None = None,
    importance_weights: Tensor | None = None,
    denominator: Tensor | float | None = None,
    group_wrong: Tensor | None = None,
    token_advantages: Tensor | None = None,
    reference_logprobs: Tensor | None = None,
    candidates: CandidateTokens | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss to minimize (minus the method's surrogate) and its metrics.

    Log-probs (nats), ``mask``, ``importance_weights`` and ``token_advantages`` are ``[B, T]`` over
    completion tokens, the others ``[B]``. ``mask`` is 0 or 1 in any dtype; where it is 0 the other
    tensors may hold anything. Only ``policy_logprobs`` gets a gradient, and its float dtype is that
    of all results; so does the policy's part of ``candidates``. ``importance_weights`` multiply
    each token's surrogate and, where ``algorithm.reference_kl`` asks for one, the penalty by
    ``reference_logprobs``; not the divergence that ``algorithm.teacher_divergence`` makes of
    ``candidates``, which no sampled token enters.

    Some methods route by ``correct``. What depends on a whole group is made of ``correct`` and
    ``group_ids``, and the groups are then whole; or it was made before the batch was split:
    ``group_wrong`` at assembly, ``token_advantages`` by the function of that name.

    ``algorithm.aggregation`` makes one number of the tokens, with the **whole** optimizer batch's
    number of sequences (``token_mean``: of tokens) as ``denominator``; left out, this batch's.
    Metrics are reduced likewise: over micro-batches with one denominator, the **sum** of losses, of
    gradients or of a metric is the value for the whole batch.

    A non-finite token reaches the loss wherever it is not cut away by the clip: the caller checks.
    ``ValueError`` names a wrong shape, what is missing, or a denominator that is not positive.
    """
    tokens = sampled_tokens(policy_logprobs, old_logprobs, teacher_logprobs, advantages, mask)
    outcomes = Outcomes(algorithm.type, len(tokens.mask), correct, group_ids, group_wrong)
    method = method_for(algorithm, tokens)
    if token_advantages is None:
        by_token = method.advantage(algorithm, tokens, outcomes)
    else:
        by_token = _stream("token_advantages", token_advantages, tokens)
    surrogate = method.surrogate(algorithm, tokens, method.log_ratio(algorithm, tokens), by_token)
    penalized, metrics = _penalized(surrogate.values, tokens, reference_logprobs, algorithm)
    if importance_weights is not None:
        penalized = penalized * _stream("importance_weights", importance_weights, tokens)
    mean = loss_mean(algorithm.aggregation, tokens.mask, denominator)
    loss = -mean.of(penalized)
    divergence = divergence_of(algorithm)
    if isinstance(divergence, Divergence):
        distance, found = _distance(divergence, tokens, candidates)
        loss, metrics = loss + divergence.weight * mean.of(distance), metrics | found
    return loss, _metrics(method, algorithm, tokens, surrogate, metrics, mean)


@torch.no_grad()
def token_advantages(
    *,
    old_logprobs: Tensor,
    teacher_logprobs: Tensor | None,
    advantages: Tensor,
    mask: Tensor,
    algorithm: Algorithm,
    correct: Tensor | None = None,
    group_ids: Tensor | None = None,
) -> Tensor:
    """Each token's advantage ``[B, T]``, made of whole groups, with 0 where ``mask`` is 0.

    For ``policy_loss`` on parts of the batch; arguments and errors as there.
    """
    tokens = sampled_tokens(old_logprobs, old_logprobs, teacher_logprobs, advantages, mask)
    outcomes = Outcomes(algorithm.type, len(tokens.mask), correct, group_ids, None)
    found: Tensor = method_for(algorithm, tokens).advantage(algorithm, tokens, outcomes)
    return found


def _penalized(
    values: Tensor, tokens: SampledTokens, reference: Tensor | None, algorithm: Algorithm
) -> tuple[Tensor, dict[str, Tensor]]:
    """The surrogate less the penalty on leaving the reference, and what is to be reported of it."""
    penalty = reference_of(algorithm)
    if reference is None:
        if isinstance(penalty, NoReference):
            return values, {}
        raise ValueError(
            f"reference_logprobs is None, but reference_kl.type {penalty.type!r} needs the "
            "reference's log-prob of every sampled token"
        )
    anchor = _stream("reference_logprobs", reference, tokens)
    if isinstance(penalty, ReferencePenalty):
        values = values - reference_penalty(penalty, tokens.policy, anchor)
    return values, reference_metrics(tokens, anchor)


def _distance(
    divergence: AnyDivergence, tokens: SampledTokens, candidates: CandidateTokens | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """The divergence from the teacher by token, and what is to be reported of it."""
    if candidates is None:
        raise ValueError(
            f"candidates is None, but teacher_divergence.type {divergence.type!r} needs the "
            "teacher's most probable tokens at every sampled one"
        )
    by_token = teacher_divergence(divergence, candidates, tokens.mask)
    return by_token, divergence_metrics(by_token, candidates)


def _metrics(
    method: Method[Any, Any],
    algorithm: Algorithm,
    tokens: SampledTokens,
    surrogate: Surrogate,
    more: dict[str, Tensor],
    loss: BatchMean,
) -> dict[str, Tensor]:
    by_token = surrogate_metrics(surrogate) | policy_metrics(tokens) | more
    for extra in method.metrics:
        by_token |= extra(algorithm, tokens)
    mean, dtype = metric_mean(algorithm.aggregation, loss), tokens.policy.dtype
    return {name: mean.of(values.to(dtype)) for name, values in by_token.items()}


def _stream(name: str, values: Tensor, tokens: SampledTokens) -> Tensor:
    return stream(name, values, tokens.mask, tokens.policy.dtype)
