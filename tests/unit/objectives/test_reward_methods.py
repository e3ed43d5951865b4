"""GSPO, CISPO and cross entropy, by hand."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rkd_online.objectives import policy_loss
from rkd_online.spec.algorithm import Algorithm, Cispo, Grpo, Gspo, Sft


def run(
    algorithm: Algorithm,
    ratios: list[list[float]],
    advantages: list[float],
    mask: list[list[int]] | None = None,
    **options: Any,
) -> tuple[float, Tensor, dict[str, float]]:
    """Loss, gradient and metrics at probability 1/2 and these ratios to the old policy."""
    policy = torch.full((len(ratios), len(ratios[0])), 0.5, dtype=torch.float64).log()
    leaf = policy.clone().requires_grad_()
    loss, metrics = policy_loss(
        leaf,
        old_logprobs=policy - torch.tensor(ratios, dtype=torch.float64).log(),
        teacher_logprobs=None,
        advantages=torch.tensor(advantages, dtype=torch.float64),
        mask=torch.ones(policy.shape) if mask is None else torch.tensor(mask),
        algorithm=algorithm,
        **options,
    )
    (gradient,) = torch.autograd.grad(loss, leaf)
    return loss.item(), gradient, {name: float(value) for name, value in metrics.items()}


# The geometric mean of 1.21 and 1 is 1.1; the third place is padding.
SEQUENCE = [[1.21, 1.0, 9.0]]
PADDED = [[1, 1, 0]]


def test_gspo_has_one_ratio_for_a_sequence() -> None:
    loss, gradient, metrics = run(Gspo(clip_high=0.2), SEQUENCE, [3.0], PADDED)
    assert loss == pytest.approx(-3.3, rel=1e-14)
    assert gradient.tolist() == [pytest.approx([-1.65, -1.65, 0.0], rel=1e-14)]
    assert metrics["policy/ratio_mean"] == pytest.approx(1.1, rel=1e-14)
    assert metrics["policy/clip_high_share"] == 0.0


def test_gspo_keeps_or_cuts_a_sequence_as_a_whole() -> None:
    loss, gradient, metrics = run(Gspo(clip_high=0.05), SEQUENCE, [3.0], PADDED)
    assert loss == pytest.approx(-3.15, rel=1e-14)
    assert not gradient.any()
    assert metrics["policy/clip_high_share"] == 1.0
    # One token alone would be above the bound of GRPO and the other not.
    _, by_token, _ = run(Grpo(clip_high=0.05), SEQUENCE, [3.0], PADDED)
    assert by_token.tolist() == [[0.0, -1.5, 0.0]]


def test_gspo_has_the_gradient_of_the_mean_log_ratio() -> None:
    draw = torch.Generator().manual_seed(5)
    policy = -torch.rand(4, 6, generator=draw, dtype=torch.float64).requires_grad_()
    old = policy.detach() + 0.1 * torch.randn(4, 6, generator=draw, dtype=torch.float64)
    advantages = torch.tensor([1.0, -2.0, 0.5, -0.1], dtype=torch.float64)
    plain = -((policy - old).mean(dim=1).exp() * advantages).mean()
    (expected,) = torch.autograd.grad(plain, policy)
    loss, _ = policy_loss(
        policy,
        old_logprobs=old,
        teacher_logprobs=None,
        advantages=advantages,
        mask=torch.ones(4, 6),
        algorithm=Gspo(clip_low=0.99, clip_high=9.0),
    )
    (gradient,) = torch.autograd.grad(loss, policy)
    assert loss.item() == pytest.approx(plain.item(), rel=1e-14)
    torch.testing.assert_close(gradient, expected, rtol=1e-13, atol=0)


def test_a_token_of_weight_zero_leaves_gspo_without_its_siblings() -> None:
    weights = torch.tensor([[0.0, 1.0, 1.0]])
    _, gradient, _ = run(Gspo(clip_high=0.2), SEQUENCE, [3.0], PADDED, importance_weights=weights)
    assert gradient.tolist() == [pytest.approx([0.0, -1.65, 0.0], rel=1e-14)]


@pytest.mark.parametrize(
    ("ratio", "advantage", "weight", "side"),
    [
        (2.0, 3.0, 1.5, "policy/clip_high_share"),
        (2.0, -3.0, 1.5, "policy/clip_high_share"),
        (0.25, 3.0, 0.5, "policy/clip_low_share"),
        (0.25, -3.0, 0.5, "policy/clip_low_share"),
        (1.25, 3.0, 1.25, None),
    ],
)
def test_cispo_bounds_a_tokens_weight_and_keeps_its_gradient(
    ratio: float, advantage: float, weight: float, side: str | None
) -> None:
    algorithm = Cispo(clip_low=0.5, clip_high=0.5)
    loss, gradient, metrics = run(algorithm, [[ratio]], [advantage])
    assert gradient.item() == pytest.approx(-weight * advantage, rel=1e-14)
    assert loss == pytest.approx(-weight * advantage * math.log(0.5), rel=1e-14)
    for name in ("policy/clip_low_share", "policy/clip_high_share"):
        assert metrics[name] == float(name == side)


def test_cispo_has_no_lower_bound_unless_it_is_given_one() -> None:
    _, gradient, metrics = run(Cispo(), [[0.01, 7.0]], [-1.0])
    assert gradient.tolist() == [pytest.approx([0.005, 2.5], rel=1e-14)]
    assert metrics["policy/clip_low_share"] == 0.0
    assert metrics["policy/clip_high_share"] == 0.5


def test_cross_entropy_is_that_of_the_accepted_samples() -> None:
    correct = torch.tensor([1, 0])
    for ratio in (1.0, 5.0):  # which plays no part
        loss, gradient, _ = run(
            Sft(),
            [[ratio, ratio], [ratio, ratio]],
            [0.0, 0.0],
            [[1, 1], [1, 0]],
            correct=correct,
            denominator=1,
        )
        assert loss == pytest.approx(math.log(2), rel=1e-14)
        assert gradient.tolist() == [[-0.5, -0.5], [0.0, 0.0]]


def test_cross_entropy_over_tokens() -> None:
    loss, gradient, metrics = run(
        Sft(aggregation={"type": "token_mean"}),
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
        [0.0, 0.0],
        [[1, 1, 1], [1, 0, 0]],
        correct=torch.tensor([1, 1]),
    )
    assert loss == metrics["policy/nll"] == pytest.approx(math.log(2), rel=1e-14)
    assert gradient.tolist() == [[-0.25, -0.25, -0.25], [-0.25, 0.0, 0.0]]
