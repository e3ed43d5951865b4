"""Losses, gradients and metrics of micro-batches sum to those of the whole batch."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from rkd_online.objectives import policy_loss, token_advantages
from rkd_online.objectives.catalogue import METHODS
from rkd_online.spec import Algorithm, Grpo, Rlad
from tests.unit.objectives.methods import KINDS, make

LENGTHS = [7, 1, 0, 4, 6]


def partitions(items: list[int]) -> Iterator[list[list[int]]]:
    """Every way of splitting ``items`` into non-empty parts."""
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for parts in partitions(rest):
        yield [[first], *parts]
        for i, part in enumerate(parts):
            yield [*parts[:i], [first, *part], *parts[i + 1 :]]


SPLITS = list(partitions(list(range(len(LENGTHS)))))


def batch() -> dict[str, Any]:
    draw = torch.Generator().manual_seed(11)
    policy = -3 * torch.rand(5, 7, generator=draw, dtype=torch.float64)
    return {
        "policy_logprobs": policy,
        "old_logprobs": policy + 0.3 * torch.randn(5, 7, generator=draw, dtype=torch.float64),
        "teacher_logprobs": policy + torch.randn(5, 7, generator=draw, dtype=torch.float64),
        "importance_weights": torch.rand(5, 7, generator=draw, dtype=torch.float64),
        "advantages": torch.tensor([1.2, -0.4, 0.9, -1.7, 0.6], dtype=torch.float64),
        "mask": torch.arange(7) < torch.tensor(LENGTHS).unsqueeze(1),
    }


def run(
    inputs: dict[str, Any], algorithm: Algorithm, denominator: Any
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Loss, gradient and metrics."""
    others = dict(inputs)
    policy = others.pop("policy_logprobs").clone().requires_grad_()
    loss, metrics = policy_loss(policy, algorithm=algorithm, denominator=denominator, **others)
    (gradient,) = torch.autograd.grad(loss, policy)
    return loss.detach(), gradient, metrics


def cut_out(inputs: dict[str, Tensor], rows: list[int]) -> dict[str, Tensor]:
    """Some sequences, padded to the longest of them only."""
    width = max(LENGTHS[row] for row in rows)
    return {name: x[rows, :width] if x.dim() == 2 else x[rows] for name, x in inputs.items()}


def test_all_52_splits_are_tried() -> None:
    assert len(SPLITS) == 52  # the fifth Bell number


@pytest.mark.parametrize("algorithm", [Grpo(), Rlad()])
def test_any_split_gives_the_whole(algorithm: Algorithm) -> None:
    inputs = batch()
    loss, gradient, metrics = run(inputs, algorithm, 5)
    assert int(gradient.count_nonzero()) > 8
    assert 0 < float(metrics["policy/clip_high_share"]) < 1
    for parts in SPLITS:
        summed_loss, summed_gradient = torch.zeros_like(loss), torch.zeros_like(gradient)
        summed = {name: torch.zeros_like(value) for name, value in metrics.items()}
        for rows in parts:
            part_loss, part_gradient, part_metrics = run(cut_out(inputs, rows), algorithm, 5)
            summed_loss += part_loss
            summed_gradient[rows, : part_gradient.shape[1]] += part_gradient
            for name, value in part_metrics.items():
                summed[name] += value
        torch.testing.assert_close(summed_loss, loss, rtol=0, atol=1e-12)
        torch.testing.assert_close(summed_gradient, gradient, rtol=0, atol=1e-12)
        torch.testing.assert_close(summed, metrics, rtol=0, atol=1e-12)


@pytest.mark.parametrize("denominator", [8, 8.0, torch.tensor(8), torch.tensor(8.0)])
def test_the_denominator_divides_loss_gradient_and_metrics(denominator: Any) -> None:
    loss, gradient, metrics = run(batch(), Rlad(), None)  # four sequences have tokens
    halved_loss, halved_gradient, halved_metrics = run(batch(), Rlad(), denominator)
    assert torch.equal(2 * halved_loss, loss)
    torch.testing.assert_close(2 * halved_gradient, gradient, rtol=1e-15, atol=0)
    assert {name: 2 * float(x) for name, x in halved_metrics.items()} == {
        name: float(x) for name, x in metrics.items()
    }


CORRECT = [False, False, True, True, False]
GROUPS = [3, 3, 8, 8, 8]
WRONG = [True, True, False, False, False]


def given_before(inputs: dict[str, Tensor], algorithm: Any) -> dict[str, Tensor]:
    """What parts of a batch are given of their whole groups."""
    known = {"group_wrong": torch.tensor(WRONG), "correct": torch.tensor(CORRECT)}
    if METHODS[algorithm.type].needs_old_first:
        names = ("old_logprobs", "teacher_logprobs", "advantages", "mask")
        known["token_advantages"] = token_advantages(
            algorithm=algorithm,
            group_ids=torch.tensor(GROUPS),
            **{name: inputs[name] for name in names},
        )
    return known


@pytest.mark.parametrize(
    "aggregation",
    [{"type": "sequence_mean"}, {"type": "token_mean"}, {"type": "constant", "tokens": 9}],
)
@pytest.mark.parametrize("name", KINDS)
def test_any_split_of_any_method_gives_the_whole_also_through_a_group(
    name: str, aggregation: dict[str, Any]
) -> None:
    algorithm = make(name, aggregation=aggregation)
    plain = batch()
    outcomes = {"correct": torch.tensor(CORRECT), "group_ids": torch.tensor(GROUPS)}
    loss, gradient, metrics = run(plain | outcomes, algorithm, 5)
    assert int(gradient.count_nonzero()) > 3
    inputs = plain | given_before(plain, algorithm)
    for parts in SPLITS:
        summed_loss, summed_gradient = torch.zeros_like(loss), torch.zeros_like(gradient)
        summed = {key: torch.zeros_like(value) for key, value in metrics.items()}
        for rows in parts:
            part_loss, part_gradient, part_metrics = run(cut_out(inputs, rows), algorithm, 5)
            summed_loss += part_loss
            summed_gradient[rows, : part_gradient.shape[1]] += part_gradient
            for key, value in part_metrics.items():
                summed[key] += value
        torch.testing.assert_close(summed_loss, loss, rtol=0, atol=1e-12)
        torch.testing.assert_close(summed_gradient, gradient, rtol=0, atol=1e-12)
        torch.testing.assert_close(summed, metrics, rtol=0, atol=1e-12)
