"""Padding, empty sequences, dtypes, overflow and refused inputs."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rkd_online.objectives import policy_loss
from rkd_online.objectives.tokens import TaughtTokens, sampled_tokens
from rkd_online.spec import Algorithm, Grpo, Rlad

LENGTHS = [4, 2, 0]
REAL = [[t < length for t in range(5)] for length in LENGTHS]


def batch(dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(3)
    policy = -2 * torch.rand(3, 5, generator=draw, dtype=dtype)
    return {
        "policy_logprobs": policy,
        "old_logprobs": policy + 0.1 * torch.randn(3, 5, generator=draw, dtype=dtype),
        "teacher_logprobs": policy + torch.randn(3, 5, generator=draw, dtype=dtype),
        "importance_weights": torch.rand(3, 5, generator=draw, dtype=dtype),
        "advantages": torch.tensor([1.0, -1.0, 0.5], dtype=dtype),
        "mask": torch.tensor(REAL),
    }


def run(inputs: dict[str, Any], **options: Any) -> tuple[Tensor, Tensor, dict[str, float]]:
    """Loss, gradient and metrics."""
    arguments: dict[str, Any] = {"algorithm": Rlad(), **inputs, **options}
    policy = arguments.pop("policy_logprobs").clone().requires_grad_()
    loss, metrics = policy_loss(policy, **arguments)
    (gradient,) = torch.autograd.grad(loss, policy)
    return loss.detach(), gradient, {name: float(value) for name, value in metrics.items()}


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf, 1e300])
@pytest.mark.parametrize("algorithm", [Grpo(), Rlad()])
def test_padding_may_hold_anything(garbage: float, algorithm: Algorithm) -> None:
    clean = batch()
    dirty = {
        name: torch.where(clean["mask"], x, garbage) if x.dim() == 2 and name != "mask" else x
        for name, x in clean.items()
    }
    dirty["advantages"] = torch.tensor([1.0, -1.0, garbage], dtype=torch.float64)  # no tokens
    loss, gradient, metrics = run(clean, algorithm=algorithm)
    dirty_loss, dirty_gradient, dirty_metrics = run(dirty, algorithm=algorithm)
    assert math.isfinite(loss)
    assert torch.equal(dirty_loss, loss)
    assert torch.equal(dirty_gradient, gradient)
    assert dirty_metrics == metrics
    assert (dirty_gradient[~clean["mask"]] == 0).all()
    assert (dirty_gradient[0, :4] != 0).any()


def test_a_method_sees_zero_at_every_padded_position() -> None:
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]])
    filled = torch.where(mask.bool(), -1.0, math.nan)
    tokens = sampled_tokens(filled, filled, filled, torch.tensor([2.0, math.nan]), mask)
    assert isinstance(tokens, TaughtTokens)
    for field in (tokens.policy, tokens.old, tokens.teacher):
        assert field.tolist() == [[-1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]
    assert tokens.advantages.tolist() == [[2.0, 2.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.float32, torch.float64]
)
def test_the_mask_may_have_any_dtype(dtype: torch.dtype) -> None:
    loss, gradient, metrics = run(batch())
    same_loss, same_gradient, same_metrics = run({**batch(), "mask": torch.tensor(REAL).to(dtype)})
    assert torch.equal(same_loss, loss)
    assert torch.equal(same_gradient, gradient)
    assert same_metrics == metrics


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("algorithm", [Grpo(), Rlad()])
def test_the_policys_float_dtype_is_kept(dtype: torch.dtype, algorithm: Algorithm) -> None:
    inputs = batch()  # all else stays float64
    inputs["policy_logprobs"] = inputs["policy_logprobs"].to(dtype).requires_grad_()
    loss, metrics = policy_loss(
        inputs.pop("policy_logprobs"), algorithm=algorithm, denominator=3, **inputs
    )
    assert loss.dtype == dtype
    assert {value.dtype for value in metrics.values()} == {dtype}


def test_sequences_without_tokens_add_nothing_and_do_not_count() -> None:
    inputs = batch()
    loss, gradient, _ = run(inputs)
    alone, alone_gradient, _ = run({name: x[:2] for name, x in inputs.items()})
    assert torch.equal(loss, alone)
    assert torch.equal(gradient[:2], alone_gradient)
    assert gradient[2].tolist() == [0.0] * 5


@pytest.mark.parametrize("shape", [(2, 3), (2, 0), (0, 3)])
def test_a_batch_without_tokens_has_loss_zero_and_gradient_zero(shape: tuple[int, int]) -> None:
    empty = {name: torch.zeros(shape) for name in batch() if name != "advantages"}
    loss, gradient, metrics = run({**empty, "advantages": torch.ones(shape[0])})
    assert loss.item() == 0.0
    assert gradient.shape == shape
    assert not gradient.any()
    assert set(metrics.values()) == {0.0}


def overflowing(log_ratio: float, advantage: float, dtype: torch.dtype) -> tuple[float, float]:
    policy = torch.tensor([[0.0]], dtype=dtype)
    loss, gradient, _ = run(
        {
            "policy_logprobs": policy,
            "old_logprobs": policy - log_ratio,
            "advantages": torch.tensor([advantage], dtype=dtype),
            "mask": torch.ones(1, 1),
        },
        teacher_logprobs=None,
        algorithm=Grpo(),
    )
    return loss.item(), gradient.item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e3, math.inf])
def test_a_ratio_that_overflows_gives_no_nan_where_the_clip_takes_it_away(
    size: float, dtype: torch.dtype
) -> None:
    assert overflowing(size, 1.0, dtype) == pytest.approx((-1.28, 0.0))
    assert overflowing(-size, -1.0, dtype) == pytest.approx((0.8, 0.0))
    assert overflowing(size, 0.0, dtype) == (0.0, 0.0)
    assert overflowing(-size, 0.0, dtype) == (0.0, 0.0)
    assert overflowing(-size, 1.0, dtype) == (0.0, 0.0)  # kept: rho = 0 in floats


def test_a_ratio_that_overflows_is_not_hidden_where_it_is_the_minimum() -> None:
    assert overflowing(1e3, -1.0, torch.float64) == (math.inf, math.inf)


@pytest.mark.parametrize("advantage", [1.0, -1.0, 0.0])
def test_nan_in_a_real_token_reaches_the_loss(advantage: float) -> None:
    loss, _ = overflowing(math.nan, advantage, torch.float64)
    assert math.isnan(loss)


@pytest.mark.parametrize(
    ("teacher", "ratio"), [(-math.inf, math.exp(0.5)), (math.inf, math.exp(-0.5))]
)
def test_an_infinite_teacher_log_prob_counts_as_clamped(teacher: float, ratio: float) -> None:
    policy = torch.tensor([[-1.0]], dtype=torch.float64)
    loss, gradient, _ = run(
        {
            "policy_logprobs": policy,
            "old_logprobs": policy,
            "teacher_logprobs": torch.tensor([[teacher]], dtype=torch.float64),
            "advantages": torch.tensor([1.0], dtype=torch.float64),
            "mask": torch.ones(1, 1),
        },
        algorithm=Rlad(clip_high=9.0),
    )
    assert loss.item() == pytest.approx(-ratio, rel=1e-14)
    assert gradient.item() == pytest.approx(-0.5 * ratio, rel=1e-14)


def test_a_teacher_method_without_teacher_log_probs_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^teacher_logprobs is None, but rlad needs"):
        run({**batch()}, teacher_logprobs=None)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("old_logprobs", (3, 4)),
        ("teacher_logprobs", (3, 1)),
        ("importance_weights", (1, 5)),
        ("mask", (3,)),
        ("advantages", (3, 5)),
        ("correct", (2,)),
        ("group_ids", (3, 1)),
    ],
)
def test_a_wrong_shape_is_refused_by_name(name: str, wrong: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"^{name} has shape .*, expected "):
        run(batch(), **{name: torch.ones(wrong)})


@pytest.mark.parametrize("policy", [torch.zeros(5), torch.zeros(3, 5, dtype=torch.int64)])
def test_policy_log_probs_are_a_float_matrix(policy: Tensor) -> None:
    inputs = batch()
    del inputs["policy_logprobs"]
    with pytest.raises(ValueError, match=r"^policy_logprobs is torch"):
        policy_loss(policy, algorithm=Rlad(), **inputs)


@pytest.mark.parametrize("denominator", [0, -2, math.nan])
def test_a_denominator_that_is_not_positive_is_refused(denominator: float) -> None:
    with pytest.raises(ValueError, match=f"^denominator is {denominator}, expected the number"):
        run(batch(), denominator=denominator)
