"""Log-probs of candidates and of the rest by chunks, against torch's log-softmax of all logits."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from rkd_online.models.candidates import candidate_logprobs, top_logprobs
from rkd_online.models.head import token_logprobs
from rkd_online.models.logits import Head, Limits
from tests.unit.models.test_head import (
    HEADS,
    TARGETS,
    TOKENS,
    VOCABULARY,
    WIDTH,
    example,
    head,
    table,
)

LIMITS = {
    "one chunk": Limits(),
    "none kept": Limits(3 * VOCABULARY, 0),
    "two of four kept": Limits(2 * VOCABULARY, 4 * VOCABULARY),
    "a token each": Limits(1, 1000),
}
IDS = torch.rand(TOKENS, VOCABULARY, generator=torch.Generator().manual_seed(1)).argsort()[:, :4]
"""Candidates of each token; of the first one the target is among them."""
IDS[0, 2] = TARGETS[0]


def by_table(whole: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probs of the targets, of the candidates, and of the rest."""
    inside = torch.zeros(whole.shape, dtype=torch.bool).scatter(1, ids, True)
    rest = whole.masked_fill(inside, -math.inf).logsumexp(-1)
    return whole[torch.arange(TOKENS), TARGETS], whole.gather(1, ids), rest


@pytest.mark.parametrize("kind", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_values_and_gradients_are_those_of_the_whole_table(
    kind: dict[str, Any], temperature: float, limits: Limits
) -> None:
    ours, theirs = example(), example()
    found = candidate_logprobs(
        ours[0],
        head(ours[1], ours[2], kind),
        TARGETS,
        IDS,
        temperature,
        dtype=torch.float64,
        limits=limits,
    )
    whole = table(*theirs, temperature, kind)
    expected = by_table(whole, IDS)
    parts = (found.logprobs, found.candidates, found.rest)
    for one, other in zip(parts, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    assert not found.entropy.requires_grad
    by_hand = -(whole.exp() * whole).sum(-1).detach()
    torch.testing.assert_close(found.entropy, by_hand, rtol=0, atol=1e-12)
    weights = [
        torch.linspace(-2, 1, one.numel(), dtype=torch.float64).view_as(one) for one in expected
    ]
    for side in (parts, expected):
        total = sum((one * weight).sum() for one, weight in zip(side, weights, strict=True))
        assert isinstance(total, Tensor)
        total.backward()
    for one, other in zip(ours, theirs, strict=True):
        if other.grad is None:
            assert one.grad is None
        else:
            assert one.grad is not None
            torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-10)


def test_the_sampled_tokens_log_probs_and_the_entropy_are_those_without_candidates() -> None:
    hidden, weight, _ = example(torch.float32)
    alone = token_logprobs(hidden, Head(weight), TARGETS, 0.7, dtype=torch.float32)
    beside = candidate_logprobs(hidden, Head(weight), TARGETS, IDS, 0.7, dtype=torch.float32)
    assert torch.equal(beside.logprobs, alone[0]) and torch.equal(beside.entropy, alone[1])


def test_an_id_that_comes_twice_is_left_out_of_the_rest_once() -> None:
    ours, theirs = example(), example()
    twice = torch.cat([IDS[:, :3], IDS[:, :1]], -1)
    found = candidate_logprobs(ours[0], Head(ours[1]), TARGETS, twice, 1.0, dtype=torch.float64)
    whole = table(*theirs, 1.0, {})
    _, expected, rest = by_table(whole, twice)
    torch.testing.assert_close(found.candidates, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.rest, rest, rtol=0, atol=1e-12)
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    ((found.candidates * weights).sum() + found.rest.sum()).backward()
    ((expected * weights).sum() + rest.sum()).backward()
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        assert one.grad is not None and other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-11)


def test_with_every_token_a_candidate_nothing_is_left_over() -> None:
    hidden, weight, _ = example()
    every = torch.arange(VOCABULARY).expand(TOKENS, -1)
    found = candidate_logprobs(hidden, Head(weight), TARGETS, every, 1.0, dtype=torch.float64)
    assert found.rest.tolist() == [-math.inf] * TOKENS
    # What a divergence makes of it: the rest takes no part, its gradient is 0.
    torch.where(found.rest.unsqueeze(-1) == -math.inf, found.candidates, 0).sum().backward()
    assert hidden.grad is not None and bool(hidden.grad.isfinite().all())


def test_a_rest_too_improbable_for_float32_has_a_finite_log_prob_and_gradient() -> None:
    hidden = torch.tensor([[1.0]], requires_grad=True)
    weight = torch.tensor([[300.0], [299.0], [1.0], [0.0]], requires_grad=True)
    found = candidate_logprobs(
        hidden, Head(weight), torch.tensor([0]), torch.tensor([[0, 1]]), 1.0, dtype=torch.float32
    )
    # log((e + 1) / (e**300 + e**299 + e + 1)) = 1 + log(1 + 1/e) - 300 - log(1 + 1/e)
    assert float(found.rest.detach()) == pytest.approx(-299.0, abs=1e-4)
    found.rest.sum().backward()
    assert weight.grad is not None and bool(weight.grad.isfinite().all())
    # Minus the probability of each candidate; what pulls the rest's own tokens up is cut off.
    assert weight.grad.flatten().tolist()[:2] == pytest.approx([-0.7310586, -0.2689414], abs=1e-6)


def test_of_16_bits_are_the_factors_and_products_alone() -> None:
    """As of the head: the gradients stay as near as the rounding of the factors lets them."""
    ours, theirs = example(torch.float32), example(torch.float32)
    limits = Limits(3 * VOCABULARY, 3 * VOCABULARY)
    found = candidate_logprobs(
        ours[0], Head(ours[1]), TARGETS, IDS, 4.0, dtype=torch.bfloat16, limits=limits
    )
    assert {one.dtype for one in found} == {torch.float32}
    expected = by_table(table(*theirs, 4.0, {}), IDS)
    (found.logprobs.sum() + found.candidates.sum() + found.rest.sum()).backward()
    sum(one.sum() for one in expected).backward()  # type: ignore[union-attr]
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        assert one.grad is not None and other.grad is not None and one.grad.dtype == torch.float32
        assert float((one.grad - other.grad).norm() / other.grad.norm()) < 0.02


@pytest.mark.parametrize("kept", [0, 2, 100])
def test_what_is_kept_grows_with_the_candidates_and_not_with_the_vocabulary(kept: int) -> None:
    """Chunks of two tokens; what the backward pass holds beside inputs and numbers by candidate."""
    hidden, weight, _ = example()
    sizes: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    limits = Limits(2 * VOCABULARY, kept * VOCABULARY)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        candidate_logprobs(
            hidden, Head(weight), TARGETS, IDS, 1.0, dtype=torch.float64, limits=limits
        )
    # Ids and slopes of target and candidates, log-probs of the candidates and of the rest.
    inputs = [TOKENS * WIDTH, VOCABULARY * WIDTH, TOKENS * 5, TOKENS * 5, TOKENS * 4, TOKENS]
    chunks = [count * VOCABULARY for count in (2, 2, 2, 1)]
    expected = {0: [], 2: chunks[:1], 100: chunks}[kept]
    assert sorted(sizes) == sorted([*inputs, *expected])


@pytest.mark.parametrize("kind", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("vocabulary", [VOCABULARY, 20])
def test_the_most_probable_tokens_are_those_of_the_whole_table(
    kind: dict[str, Any], vocabulary: int
) -> None:
    """Of a policy with fewer tokens the others belong to the rest."""
    hidden, weight, bias = example()
    found = top_logprobs(
        hidden,
        head(weight, bias, kind),
        TARGETS,
        4,
        vocabulary,
        0.7,
        dtype=torch.float64,
        limits=Limits(2 * VOCABULARY, 0),
    )
    whole = table(hidden, weight, bias, 0.7, kind).detach()
    expected = whole[:, :vocabulary].sort(-1, descending=True)
    assert torch.equal(found.ids, expected.indices[:, :4])
    chosen, candidates, rest = by_table(whole, found.ids)
    torch.testing.assert_close(found.candidates, expected.values[:, :4], rtol=0, atol=1e-12)
    torch.testing.assert_close(found.candidates, candidates, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.logprobs, chosen, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.rest, rest, rtol=0, atol=1e-12)
    assert not found.rest.requires_grad
