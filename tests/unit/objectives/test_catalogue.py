"""Every row of the catalogue, through the one loss, against its derivation in plain Python."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rkd_online.objectives import policy_loss
from rkd_online.objectives.catalogue import METHODS
from rkd_online.spec.algorithm import TEACHER_METHODS
from tests.unit.objectives import derivation
from tests.unit.objectives.methods import KINDS, OPTIONS, batch, make

AGGREGATIONS: dict[str, Any] = {
    "sequence_mean": {"type": "sequence_mean"},
    "token_mean": {"type": "token_mean"},
    "constant": {"type": "constant", "tokens": 11},
}
NAMES = list(KINDS)


def run(inputs: dict[str, Tensor], algorithm: Any, **options: Any) -> tuple[Tensor, Tensor]:
    """Loss and gradient."""
    arguments: dict[str, Any] = {**inputs, **options}
    policy = arguments.pop("policy_logprobs").clone().requires_grad_()
    loss, _ = policy_loss(policy, algorithm=algorithm, **arguments)
    (gradient,) = torch.autograd.grad(loss, policy)
    return loss.detach(), gradient


def test_these_are_all_methods() -> None:
    assert set(NAMES) == set(METHODS)
    assert len(NAMES) == 12


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient_are_those_of_the_derivation(name: str, aggregation: str) -> None:
    inputs = batch()
    loss, gradient = run(inputs, make(name, aggregation=AGGREGATIONS[aggregation]), denominator=12)
    again = derivation.Batch(
        policy=inputs["policy_logprobs"].tolist(),
        old=inputs["old_logprobs"].tolist(),
        teacher=inputs["teacher_logprobs"].tolist(),
        mask=inputs["mask"].tolist(),
        weights=inputs["importance_weights"].tolist(),
        advantages=inputs["advantages"].tolist(),
        correct=inputs["correct"].tolist(),
        groups=inputs["group_ids"].tolist(),
    )
    options: dict[str, Any] = {
        "aggregation": aggregation,
        "length": 11,
        "denominator": 12,
        **OPTIONS[name],
    }
    expected = derivation.loss(name, again, again.policy, **options)
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    by_token = torch.tensor(derivation.gradient(name, again, **options), dtype=torch.float64)
    # Cross entropy has a gradient in the accepted sequences alone.
    assert int((by_token != 0).sum()) >= (3 if name == "sft" else 8)
    torch.testing.assert_close(gradient, by_token, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_depends_on_the_teacher_where_the_method_has_one(name: str) -> None:
    inputs = batch()
    _, gradient = run(inputs, make(name))
    nearer = inputs["teacher_logprobs"] + 0.1 * torch.arange(7)
    _, other = run(inputs, make(name), teacher_logprobs=nearer)
    changed = int((gradient != other).sum())
    assert (changed >= 5) if name in TEACHER_METHODS else (changed == 0)


@pytest.mark.parametrize("name", sorted(TEACHER_METHODS))
def test_a_method_with_a_teacher_refuses_to_go_without(name: str) -> None:
    with pytest.raises(ValueError, match=f"^teacher_logprobs is None, but {name} needs"):
        run(batch(), make(name), teacher_logprobs=None)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("kdrl_mask", "correct"),
        ("srpo", "correct"),
        ("sft", "correct"),
        ("hdpo", "correct"),
        ("hdpo", "group_ids"),
        ("topd", "group_ids"),
    ],
)
def test_a_method_names_what_it_routes_by_and_was_not_given(name: str, missing: str) -> None:
    with pytest.raises(ValueError, match=f"^{missing} is None, but {name} needs it of every"):
        run(batch(), make(name), **{missing: None})


@pytest.mark.parametrize("name", ["grpo", "gspo", "cispo", "rlad", "opd", "kdrl", "rlsd"])
def test_other_methods_need_no_outcome(name: str) -> None:
    loss, gradient = run(batch(), make(name))
    same, same_gradient = run(batch(), make(name), correct=None, group_ids=None)
    assert torch.equal(loss, same)
    assert torch.equal(gradient, same_gradient)


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf, 1e300])
@pytest.mark.parametrize("name", NAMES)
def test_padding_may_hold_anything(name: str, garbage: float) -> None:
    clean = batch()
    dirty = {
        key: torch.where(clean["mask"], x, garbage) if x.dim() == 2 and key != "mask" else x
        for key, x in clean.items()
    }
    loss, gradient = run(clean, make(name))
    dirty_loss, dirty_gradient = run(dirty, make(name))
    assert math.isfinite(loss)
    assert torch.equal(dirty_loss, loss)
    assert torch.equal(dirty_gradient, gradient)
    assert (gradient[~clean["mask"]] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_holes_in_the_mask_are_no_tokens(name: str) -> None:
    inputs = batch()
    apart = dict(inputs)
    for key, x in inputs.items():
        if x.dim() == 2:
            apart[key] = torch.zeros(8, 14, dtype=x.dtype)
            apart[key][:, ::2] = x
    loss, gradient = run(inputs, make(name))
    other, other_gradient = run(apart, make(name))
    torch.testing.assert_close(other, loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(other_gradient[:, ::2], gradient, rtol=1e-12, atol=1e-15)
    assert not other_gradient[:, 1::2].any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_the_policys_float_dtype_is_kept(name: str, dtype: torch.dtype) -> None:
    inputs: dict[str, Any] = batch()
    policy = inputs.pop("policy_logprobs").to(dtype)
    loss, metrics = policy_loss(policy, algorithm=make(name), denominator=8, **inputs)
    assert loss.dtype == dtype
    assert {value.dtype for value in metrics.values()} == {dtype}


@pytest.mark.parametrize("shape", [(2, 3), (2, 0), (0, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_without_tokens_has_loss_and_gradient_zero(
    name: str, shape: tuple[int, int]
) -> None:
    empty = {key: torch.zeros(shape) for key, x in batch().items() if x.dim() == 2}
    by_sequence = {key: torch.ones(shape[0]) for key, x in batch().items() if x.dim() == 1}
    loss, gradient = run(empty | by_sequence, make(name))
    assert loss.item() == 0.0
    assert gradient.shape == shape
    assert not gradient.any()
