"""RLAD with alpha = 1 is GRPO, bit for bit, whatever the teacher says."""

import math

import pytest
import torch
from torch import Tensor

from rkd_online.objectives import policy_loss
from rkd_online.spec import Algorithm, Grpo, Rlad

WILD = [math.nan, math.inf, -math.inf, 1e30, -1e30, 0.0]


def loss_and_gradient(
    algorithm: Algorithm, dtype: torch.dtype, teacher: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    policy = (-4 * torch.rand(8, 17, generator=draw, dtype=dtype)).requires_grad_()
    old = policy.detach() + 0.5 * torch.randn(8, 17, generator=draw, dtype=dtype)
    old[0, :4] = torch.tensor([-200.0, 200.0, -1e6, 1e6])  # ratios past every float's range
    loss, _ = policy_loss(
        policy,
        old_logprobs=old,
        teacher_logprobs=teacher,
        advantages=torch.tensor([1.5, -1.5, 0.0, 0.3, -0.3, 2.0, -2.0, 1.0], dtype=dtype),
        mask=torch.rand(8, 17, generator=draw) < 0.8,
        algorithm=algorithm,
        importance_weights=torch.rand(8, 17, generator=draw, dtype=dtype),
    )
    (gradient,) = torch.autograd.grad(loss, policy)
    return loss.detach(), gradient


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("wild", [False, True])
def test_loss_and_gradient_are_the_same_bits(dtype: torch.dtype, seed: int, wild: bool) -> None:
    draw = torch.Generator().manual_seed(1000 + seed)
    teacher = -4 * torch.rand(8, 17, generator=draw, dtype=dtype)
    if wild:
        choice = torch.randint(len(WILD), (8, 17), generator=draw)
        teacher = torch.tensor(WILD, dtype=dtype)[choice]
    loss, gradient = loss_and_gradient(Rlad(alpha=1), dtype, teacher, seed)
    grpo_loss, grpo_gradient = loss_and_gradient(Grpo(), dtype, teacher, seed)
    assert torch.isfinite(grpo_loss)
    assert grpo_gradient.count_nonzero() > 40
    assert torch.equal(loss, grpo_loss)
    assert torch.equal(gradient, grpo_gradient)


def test_alpha_below_one_is_not_grpo() -> None:
    teacher = torch.full((8, 17), -1.0, dtype=torch.float64)
    _, gradient = loss_and_gradient(Rlad(alpha=0.999), torch.float64, teacher, 0)
    _, grpo_gradient = loss_and_gradient(Grpo(), torch.float64, teacher, 0)
    assert not torch.equal(gradient, grpo_gradient)
