"""Weights for tokens that another policy sampled, by hand."""

import math

import pytest
import torch

from rkd_online.objectives import importance_weights, policy_loss
from rkd_online.spec.algorithm import Grpo, MaskedWeights, NoWeights, TruncatedWeights

# Ratios pi(old) / pi(sampler): 1, 3, 1/4; the last token is padding with nonsense in it.
SAMPLER = torch.tensor([[-1.0, -2.0, -3.0, float("nan")]])
OLD = torch.tensor(
    [[-1.0, -2.0 + math.log(3.0), -3.0 + math.log(0.25), float("inf")]], requires_grad=True
)
MASK = torch.tensor([[1, 1, 1, 0]])


def test_a_truncated_weight_is_the_ratio_up_to_the_cap() -> None:
    found = importance_weights(OLD, SAMPLER, MASK, TruncatedWeights(cap=2.0))
    torch.testing.assert_close(found.weights, torch.tensor([[1.0, 2.0, 0.25, 0.0]]))
    assert found.capped.tolist() == [[False, True, False, False]]
    assert not found.weights.requires_grad


def test_a_token_outside_the_bounds_of_a_mask_counts_for_nothing() -> None:
    found = importance_weights(OLD, SAMPLER, MASK, MaskedWeights(type="mask", low=0.5, high=4.0))
    torch.testing.assert_close(found.weights, torch.tensor([[1.0, 3.0, 0.0, 0.0]]))
    assert found.capped.tolist() == [[False, False, True, False]]


def test_without_correction_every_token_weighs_one() -> None:
    found = importance_weights(OLD, SAMPLER, MASK, NoWeights(type="none"))
    assert found.weights.tolist() == [[1.0, 1.0, 1.0, 0.0]]
    assert not found.capped.any()


def test_a_ratio_that_overflows_is_capped() -> None:
    old, sampler = torch.tensor([[-1.0]]), torch.tensor([[-1e4]])
    found = importance_weights(old, sampler, torch.ones(1, 1), TruncatedWeights(cap=5.0))
    assert (found.weights.tolist(), found.capped.tolist()) == ([[5.0]], [[True]])


def test_weights_multiply_the_gradient_of_their_tokens() -> None:
    """At policy = old the gradient of -w * A * ratio / (tokens * sequences) is -w * A / 3."""
    policy = torch.tensor([[-1.0, -2.0, -3.0]], requires_grad=True)
    sampler = policy.detach() - torch.tensor([[0.0, math.log(3.0), math.log(0.25)]])
    weights = importance_weights(policy, sampler, torch.ones(1, 3), TruncatedWeights(cap=2.0))
    loss, _ = policy_loss(
        policy,
        old_logprobs=policy.detach(),
        teacher_logprobs=None,
        advantages=torch.tensor([0.6]),
        mask=torch.ones(1, 3),
        algorithm=Grpo(),
        importance_weights=weights.weights,
    )
    loss.backward()
    torch.testing.assert_close(policy.grad, torch.tensor([[-0.2, -0.4, -0.05]]))


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(ValueError, match=r"sampler_logprobs has shape \[1, 4\], expected \[1, 3\]"):
        importance_weights(OLD[:, :3], SAMPLER, MASK[:, :3], TruncatedWeights())
