"""The penalty on leaving a reference model, and the gradient that each estimator really has."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rkd_online.objectives import policy_loss
from rkd_online.spec.algorithm import (
    Cispo,
    Grpo,
    NoReference,
    ReferenceKl,
    ReferencePenalty,
)

LOGITS = [0.4, -1.1, 0.8, 0.0, -0.3]
REFERENCE = torch.tensor([0.02, 0.5, 0.1, 0.08, 0.3], dtype=torch.float64)
BETA = 0.7
NONE = NoReference()


def expected_over_the_policy(kind: Any) -> tuple[float, Tensor]:
    """The penalty and its gradient by the logits: every token once, weighed with its chance."""
    logits = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    policy = logits.log_softmax(0).unsqueeze(1)
    loss, _ = policy_loss(
        policy,
        old_logprobs=policy.detach(),
        teacher_logprobs=None,
        advantages=torch.zeros(5),
        mask=torch.ones(5, 1),
        algorithm=Grpo(reference_kl=ReferencePenalty(type=kind, beta=BETA)),
        importance_weights=policy.detach().exp(),
        denominator=1,
        reference_logprobs=REFERENCE.log().unsqueeze(1),
    )
    (gradient,) = torch.autograd.grad(loss, logits)
    return loss.item(), gradient


CHANCES = torch.tensor(LOGITS, dtype=torch.float64).softmax(0)
LOG_RATIO = (CHANCES / REFERENCE).log()
REVERSE = float((CHANCES * LOG_RATIO).sum())
"""KL(policy || reference)."""


def test_k1_and_k3_have_its_value_and_k2_another() -> None:
    assert expected_over_the_policy("k1")[0] == pytest.approx(BETA * REVERSE, rel=1e-12)
    assert expected_over_the_policy("k3")[0] == pytest.approx(BETA * REVERSE, rel=1e-12)
    half_square = float((CHANCES * LOG_RATIO.square()).sum()) / 2
    assert expected_over_the_policy("k2")[0] == pytest.approx(BETA * half_square, rel=1e-12)
    assert abs(half_square / REVERSE - 1) > 0.3


def test_k1_has_a_gradient_of_mean_zero() -> None:
    _, gradient = expected_over_the_policy("k1")
    assert float(gradient.abs().max()) < 1e-15


def test_k2_has_the_gradient_of_the_kl_from_policy_to_reference() -> None:
    _, gradient = expected_over_the_policy("k2")
    expected = BETA * CHANCES * (LOG_RATIO - REVERSE)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-15)


def test_k3_has_the_gradient_of_the_kl_from_reference_to_policy() -> None:
    _, gradient = expected_over_the_policy("k3")
    torch.testing.assert_close(gradient, BETA * (CHANCES - REFERENCE), rtol=1e-12, atol=1e-15)


def one_sequence(
    penalty: ReferenceKl = NONE, algorithm: type[Grpo | Cispo] = Grpo, **options: Any
) -> tuple[float, list[float]]:
    """Two tokens, pi(reference) / pi(theta) 2 and 1/2, advantage 3 at ratio 1; one is padding."""
    policy = torch.tensor([[-1.0, -1.0, 5.0]], dtype=torch.float64, requires_grad=True)
    reference = torch.tensor([[-1.0 + math.log(2), -1.0 - math.log(2), math.nan]])
    given: dict[str, Any] = {"reference_logprobs": reference.double(), **options}
    loss, _ = policy_loss(
        policy,
        old_logprobs=policy.detach(),
        teacher_logprobs=None,
        advantages=torch.tensor([3.0]),
        mask=torch.tensor([[1, 1, 0]]),
        algorithm=algorithm(reference_kl=penalty),
        **given,
    )
    (gradient,) = torch.autograd.grad(loss, policy)
    return loss.item(), gradient[0].tolist()


@pytest.mark.parametrize(
    ("kind", "values", "slopes"),
    [
        ("k1", [-math.log(2), math.log(2)], [1.0, 1.0]),
        ("k2", [math.log(2) ** 2 / 2] * 2, [-math.log(2), math.log(2)]),
        ("k3", [1 - math.log(2), math.log(2) - 0.5], [-1.0, 0.5]),
    ],
)
def test_each_estimator_by_token(kind: Any, values: list[float], slopes: list[float]) -> None:
    penalty = ReferencePenalty(type=kind, beta=0.1)
    loss, gradient = one_sequence(penalty)
    assert loss == pytest.approx(-3 + 0.1 * sum(values) / 2, rel=1e-6)
    expected = [(-3 + 0.1 * slope) / 2 for slope in slopes]
    assert gradient == pytest.approx([*expected, 0.0], rel=1e-6)


def test_a_tokens_weight_is_that_of_its_penalty_too() -> None:
    penalty = ReferencePenalty(type="k1", beta=0.1)
    weights = torch.tensor([[0.0, 2.0, 1.0]])
    _, gradient = one_sequence(penalty, importance_weights=weights)
    assert gradient == pytest.approx([0.0, -2.9, 0.0], rel=1e-6)


def test_without_a_penalty_the_reference_plays_no_part() -> None:
    assert one_sequence() == one_sequence(reference_logprobs=None)
    assert one_sequence()[0] == -3.0


def test_cispo_has_it_beside_its_weighed_likelihood() -> None:
    """Minus A * lp of two tokens of -1 nat is 3, with the gradient -3 of each; the penalty k1 is
    -log 2 and log 2, with the gradient 1 of each."""
    penalty = ReferencePenalty(type="k1", beta=0.1)
    loss, gradient = one_sequence(penalty, Cispo)
    assert loss == pytest.approx(3.0, rel=1e-12)
    assert gradient == pytest.approx([-1.45, -1.45, 0.0], rel=1e-12)


def test_the_distance_from_the_reference_is_reported_wherever_there_is_one() -> None:
    """Tokens of lp - lr 0.5 and -0.25, and one of 1 in a row of its own."""
    policy = torch.tensor([[-1.0, -2.0], [-3.0, 9.0]])
    _, metrics = policy_loss(
        policy,
        old_logprobs=policy,
        teacher_logprobs=None,
        advantages=torch.zeros(2),
        mask=torch.tensor([[1, 1], [1, 0]]),
        algorithm=Grpo(),
        reference_logprobs=torch.tensor([[-1.5, -1.75], [-4.0, math.nan]]),
    )
    assert float(metrics["policy/kl_reference"]) == (0.125 + 1) / 2


def test_a_penalty_without_a_reference_is_refused() -> None:
    penalty = ReferencePenalty(type="k3", beta=0.1)
    with pytest.raises(
        ValueError, match=r"^reference_logprobs is None, but reference_kl.type 'k3'"
    ):
        one_sequence(penalty, reference_logprobs=None)
    with pytest.raises(ValueError, match=r"^reference_logprobs has shape \[1, 2\], expected"):
        one_sequence(penalty, reference_logprobs=torch.zeros(1, 2))
