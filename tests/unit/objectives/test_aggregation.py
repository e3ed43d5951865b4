"""How the tokens of sequences of unequal lengths weigh."""

from typing import Any

import pytest
import torch
from torch import Tensor

from rkd_online.objectives import batch_denominator, policy_loss
from rkd_online.spec.algorithm import ConstantLength, Grpo, SequenceMean, TokenMean

MASK = [[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]
ADVANTAGES = [1.0, -3.0, 5.0]
CONSTANT: dict[str, Any] = {"type": "constant", "tokens": 10}


def run(
    aggregation: dict[str, Any], **options: Any
) -> tuple[float, list[list[float]], dict[str, Tensor]]:
    """Loss, gradient and metrics at ratio 1."""
    policy = torch.full((3, 4), -0.5, dtype=torch.float64)
    policy[1] = -2.0
    policy.requires_grad_()
    loss, metrics = policy_loss(
        policy,
        old_logprobs=policy.detach(),
        teacher_logprobs=None,
        advantages=torch.tensor(ADVANTAGES, dtype=torch.float64),
        mask=torch.tensor(MASK),
        algorithm=Grpo(aggregation=aggregation),
        **options,
    )
    (gradient,) = torch.autograd.grad(loss, policy)
    return loss.item(), gradient.tolist(), metrics


def test_of_sequence_means_each_sequence_weighs_the_same() -> None:
    loss, gradient, metrics = run({"type": "sequence_mean"})
    assert loss == pytest.approx(-(1 - 3) / 2, rel=1e-14)
    assert gradient == [[-1 / 8] * 4, [3 / 4, 3 / 4, 0, 0], [0] * 4]
    assert float(metrics["policy/nll"]) == pytest.approx((0.5 + 2) / 2, rel=1e-14)


def test_of_the_token_mean_each_token_weighs_the_same() -> None:
    loss, gradient, metrics = run({"type": "token_mean"})
    assert loss == pytest.approx(-(4 * 1 - 2 * 3) / 6, rel=1e-14)
    assert gradient == [pytest.approx([-1 / 6] * 4), pytest.approx([0.5, 0.5, 0, 0]), [0] * 4]
    assert float(metrics["policy/nll"]) == pytest.approx((4 * 0.5 + 2 * 2) / 6, rel=1e-14)


def test_of_a_constant_length_each_token_weighs_the_same_in_every_batch() -> None:
    loss, gradient, metrics = run(CONSTANT)
    assert loss == pytest.approx(-(4 * 1 - 2 * 3) / 10 / 2, rel=1e-14)
    assert gradient == [pytest.approx([-0.05] * 4), pytest.approx([0.15, 0.15, 0, 0]), [0] * 4]
    # Metrics are means all the same, and those of sequences.
    assert float(metrics["policy/nll"]) == pytest.approx((0.5 + 2) / 2, rel=1e-14)
    assert float(metrics["policy/ratio_mean"]) == 1.0


@pytest.mark.parametrize("kind", [{"type": "sequence_mean"}, {"type": "token_mean"}, CONSTANT])
def test_the_whole_batchs_denominator_takes_the_place_of_this_batchs(kind: dict[str, Any]) -> None:
    loss, gradient, metrics = run(kind)
    own = 6 if kind["type"] == "token_mean" else 2
    other, other_gradient, other_metrics = run(kind, denominator=24)
    assert other == pytest.approx(loss * own / 24, rel=1e-14)
    for row, other_row in zip(gradient, other_gradient, strict=True):
        assert other_row == pytest.approx([value * own / 24 for value in row], rel=1e-14)
    for name, value in metrics.items():
        assert float(other_metrics[name]) == pytest.approx(float(value) * own / 24, rel=1e-14)


def test_a_batchs_denominator_counts_what_its_aggregation_wants() -> None:
    lengths = [4, 2, 0]
    assert batch_denominator(SequenceMean(), lengths) == 3.0
    assert batch_denominator(TokenMean(type="token_mean"), lengths) == 6.0
    assert batch_denominator(ConstantLength(type="constant", tokens=10), lengths) == 3.0


def test_a_denominator_that_is_not_positive_is_refused_with_what_it_counts() -> None:
    with pytest.raises(ValueError, match=r"^denominator is 0, expected the number of tokens of"):
        run({"type": "token_mean"}, denominator=0)
    with pytest.raises(ValueError, match=r"^denominator is -1, expected the number of sequences"):
        run(CONSTANT, denominator=-1)
