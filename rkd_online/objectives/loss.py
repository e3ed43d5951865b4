"""The loss of one (micro-)batch, for every method of the catalogue."""

from torch import Tensor

from rkd_online.objectives.catalogue import method_for
from rkd_online.objectives.diagnostics import policy_metrics, surrogate_metrics
from rkd_online.objectives.surrogate import (
    clipped_surrogate,
    mean_over_batch,
    sequences_with_tokens,
)
from rkd_online.objectives.tokens import (
    SampledTokens,
    constant,
    expect_shape,
    sampled_tokens,
)
from rkd_online.spec.algorithm import Algorithm


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
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss to minimize (the negative clipped surrogate) and its metrics.

    Log-probs (nats), ``mask`` and ``importance_weights`` are ``[B, T]`` over completion tokens;
    ``advantages``, ``correct`` and ``group_ids`` are ``[B]``. ``mask`` is 0 or 1 in any dtype, and
    where it is 0 the other tensors may hold anything. Only ``policy_logprobs`` gets a gradient and
    its float dtype is that of all results. ``importance_weights`` multiply each token's surrogate.
    ``correct`` and ``group_ids`` are for methods that route by outcome; grpo and rlad read neither.

    Each sequence's token mean is summed and divided by ``denominator``, the number of sequences of
    the **whole** optimizer batch (left out: of this batch's sequences with a token). Every metric
    is reduced likewise: the **sum** of the loss, of its gradient or of a metric over micro-batches
    with one denominator is the value for the whole batch.

    A non-finite token reaches the loss wherever it is not cut away by the clip: the caller checks.
    ``ValueError`` for a wrong shape, a denominator that is not positive, or a missing teacher.

    Sources: arXiv 2402.03300 eq. 3 (grpo), arXiv 2602.22495 eq. 3-4 (rlad).
    """
    tokens = sampled_tokens(policy_logprobs, old_logprobs, teacher_logprobs, advantages, mask)
    for name, by_sequence in (("correct", correct), ("group_ids", group_ids)):
        if by_sequence is not None:
            expect_shape(name, by_sequence, (len(policy_logprobs),))
    method = method_for(algorithm, tokens)
    surrogate = clipped_surrogate(
        method.log_ratio(algorithm, tokens),
        method.advantage(algorithm, tokens),
        algorithm.clip_low,
        algorithm.clip_high,
    )
    token_metrics = surrogate_metrics(surrogate) | policy_metrics(tokens)
    for extra in method.metrics:
        token_metrics |= extra(algorithm, tokens)
    sequences = _sequences(denominator, tokens.mask)
    values = _weighted(surrogate.values, importance_weights, tokens.mask)
    loss = -mean_over_batch(values, tokens.mask, sequences)
    return loss, _reduced(token_metrics, tokens, sequences)


def _reduced(
    token_metrics: dict[str, Tensor], tokens: SampledTokens, sequences: Tensor | float
) -> dict[str, Tensor]:
    dtype = tokens.policy.dtype
    return {
        name: mean_over_batch(values.to(dtype), tokens.mask, sequences)
        for name, values in token_metrics.items()
    }


def _sequences(denominator: Tensor | float | None, mask: Tensor) -> Tensor | float:
    if denominator is None:
        return sequences_with_tokens(mask)
    if not denominator > 0:
        raise ValueError(
            f"denominator is {denominator}, expected the number of sequences of the whole "
            "optimizer batch, above 0"
        )
    return denominator


def _weighted(values: Tensor, weights: Tensor | None, mask: Tensor) -> Tensor:
    if weights is None:
        return values
    expect_shape("importance_weights", weights, tuple(values.shape))
    return values * constant(weights, mask, values.dtype)
