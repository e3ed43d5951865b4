"""Losses and gradients against values derived by hand or by the plain-Python reference."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rkd_online.objectives import policy_loss
from rkd_online.spec import Algorithm, Grpo, Rlad

E = math.e
# Two sequences, three tokens and one. Probabilities, so that each ratio can be read off:
POLICY = [[0.5, 0.5, 0.2], [0.3, 0.9, 0.9]]
OLD = [[0.4, 0.5, 0.5], [0.4, 0.9, 0.9]]
TEACHER = [[0.8, 0.05, 0.2], [0.9, 0.9, 0.9]]
ADVANTAGES = [1.5, -2.0]
MASK = [[1, 1, 1], [1, 0, 0]]


def logs(probabilities: list[list[float]]) -> Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def by_hand(algorithm: Algorithm, teacher: Tensor | None) -> tuple[float, list[float]]:
    policy = logs(POLICY).requires_grad_()
    loss, _ = policy_loss(
        policy,
        old_logprobs=logs(OLD),
        teacher_logprobs=teacher,
        advantages=torch.tensor(ADVANTAGES, dtype=torch.float64),
        mask=torch.tensor(MASK),
        algorithm=algorithm,
    )
    (gradient,) = torch.autograd.grad(loss, policy)
    return loss.item(), gradient.flatten().tolist()


def test_grpo_on_a_small_batch() -> None:
    # Ratios 1.25, 1, 0.4 (A = 1.5) and 0.75 (A = -2). No ratio is above 1.28; 0.4 * 1.5 is below
    # 0.8 * 1.5, so it stays; 0.75 * -2 = -1.5 is above 0.8 * -2 = -1.6, so that token is clipped.
    # Surrogates 1.875, 1.5, 0.6 -> mean 1.325; and -1.6. Loss -(1.325 - 1.6) / 2.
    loss, gradient = by_hand(Grpo(), None)
    assert loss == pytest.approx(0.1375, rel=1e-14)
    # Each live token: -rho * A / length / 2.
    expected = [-1.875 / 6, -1.5 / 6, -0.6 / 6, 0, 0, 0]
    assert gradient == pytest.approx(expected, rel=1e-14)


def test_rlad_on_a_small_batch() -> None:
    # p/o, p/t and rho = sqrt(p/o * clamped p/t):
    #   1.25, 0.625          -> sqrt(0.78125) = 0.8839, in the band: 0.8839 * 1.5
    #   1,    10  -> e       -> sqrt(e) = 1.6487, A > 0: clipped to 1.28 * 1.5, no gradient
    #   0.4,  1              -> sqrt(0.4) = 0.6325, A > 0: below the band, the smaller: kept
    #   0.75, 1/3 -> 1/e     -> sqrt(0.75 / e) = 0.5253, A < 0: clipped to 0.8 * -2, no gradient
    loss, gradient = by_hand(Rlad(), logs(TEACHER))
    first, third = math.sqrt(0.78125) * 1.5, math.sqrt(0.4) * 1.5
    assert loss == pytest.approx(-((first + 1.92 + third) / 3 - 1.6) / 2, rel=1e-14)
    # No clamp binds on a live token: the whole gradient rho * A.
    expected = [-first / 6, 0, -third / 6, 0, 0, 0]
    assert gradient == pytest.approx(expected, rel=1e-14)


def test_at_step_one_the_rlad_ratio_is_not_one() -> None:
    # lp = lo = log 0.5, teacher 0.6: rho = sqrt(5/6), loss -rho * A, gradient -rho * A.
    policy = torch.tensor([[0.5]], dtype=torch.float64).log().requires_grad_()
    loss, metrics = policy_loss(
        policy,
        old_logprobs=policy,
        teacher_logprobs=torch.tensor([[0.6]], dtype=torch.float64).log(),
        advantages=torch.tensor([2.0], dtype=torch.float64),
        mask=torch.ones(1, 1),
        algorithm=Rlad(),
    )
    ratio = math.sqrt(5 / 6)
    (gradient,) = torch.autograd.grad(loss, policy)
    assert float(metrics["policy/ratio_mean"]) == pytest.approx(ratio, rel=1e-14)
    assert loss.item() == pytest.approx(-2 * ratio, rel=1e-14)
    assert gradient.item() == pytest.approx(-2 * ratio, rel=1e-14)


@pytest.mark.parametrize(
    "algorithm",
    [
        Grpo(clip_low=0.1, clip_high=0.4),
        Rlad(),
        Rlad(alpha=0.2, teacher_log_ratio_clamp=0.4, clip_low=0.3, clip_high=0.5),
        Rlad(alpha=0, clip_low=0.5, clip_high=1.0),
    ],
)
def test_random_batches_equal_the_reference(
    algorithm: Grpo | Rlad,
    reference_loss: Callable[..., float],
    reference_gradient: Callable[..., list[list[float]]],
) -> None:
    draw = torch.Generator().manual_seed(20260226)
    policy = -3 * torch.rand(6, 9, generator=draw, dtype=torch.float64)
    old = policy + 0.4 * torch.randn(6, 9, generator=draw, dtype=torch.float64)
    teacher = policy + 0.8 * torch.randn(6, 9, generator=draw, dtype=torch.float64)
    advantages = torch.tensor([1.3, -0.7, 0.0, 2.0, -1.9, 0.4], dtype=torch.float64)
    weights = 2 * torch.rand(6, 9, generator=draw, dtype=torch.float64)
    lengths = torch.tensor([9, 4, 6, 1, 7, 0])
    mask = torch.arange(9) < lengths.unsqueeze(1)
    leaf = policy.clone().requires_grad_()
    loss, _ = policy_loss(
        leaf,
        old_logprobs=old,
        teacher_logprobs=teacher,
        advantages=advantages,
        mask=mask,
        algorithm=algorithm,
        importance_weights=weights,
        denominator=8,
    )
    (gradient,) = torch.autograd.grad(loss, leaf)
    inputs = [x.tolist() for x in (policy, old, teacher, advantages, mask)]
    options = {
        "alpha": algorithm.alpha if isinstance(algorithm, Rlad) else 1.0,
        "clamp": algorithm.teacher_log_ratio_clamp if isinstance(algorithm, Rlad) else 1.0,
        "clip_low": algorithm.clip_low,
        "clip_high": algorithm.clip_high,
        "weights": weights.tolist(),
        "denominator": 8,
    }
    assert loss.item() == pytest.approx(reference_loss(*inputs, **options), rel=1e-13)
    expected = torch.tensor(reference_gradient(*inputs, **options), dtype=torch.float64)
    assert int((expected != 0).sum()) > 10
    torch.testing.assert_close(gradient, expected, rtol=1e-7, atol=1e-9)


def gradient_with_teacher(algorithm: Algorithm, teacher: float) -> float:
    policy = torch.tensor([[-1.0]], dtype=torch.float64, requires_grad=True)
    loss, _ = policy_loss(
        policy,
        old_logprobs=policy.detach(),
        teacher_logprobs=torch.tensor([[teacher]], dtype=torch.float64),
        advantages=torch.tensor([1.0], dtype=torch.float64),
        mask=torch.ones(1, 1),
        algorithm=algorithm,
    )
    (gradient,) = torch.autograd.grad(loss, policy)
    return gradient.item()


def test_the_gradient_follows_the_teacher() -> None:
    # rho = exp(0.5 * (lp - lt)): lp - lt = -0.4 and 0.2.
    assert gradient_with_teacher(Rlad(), -0.6) == pytest.approx(-math.exp(-0.2), rel=1e-14)
    assert gradient_with_teacher(Rlad(), -1.2) == pytest.approx(-math.exp(0.1), rel=1e-14)
    assert gradient_with_teacher(Grpo(), -0.6) == gradient_with_teacher(Grpo(), -1.2) == -1.0


def test_only_the_policy_gets_a_gradient() -> None:
    others: dict[str, Any] = {
        "old_logprobs": torch.full((1, 2), -1.1, requires_grad=True),
        "teacher_logprobs": torch.full((1, 2), -0.9, requires_grad=True),
        "advantages": torch.ones(1, requires_grad=True),
        "importance_weights": torch.ones(1, 2, requires_grad=True),
    }
    policy = torch.full((1, 2), -1.0, requires_grad=True)
    loss, metrics = policy_loss(policy, mask=torch.ones(1, 2), algorithm=Rlad(), **others)
    torch.autograd.backward(loss)
    assert policy.grad is not None
    assert [x.grad for x in others.values()] == [None] * 4
    assert not any(value.requires_grad for value in metrics.values())
