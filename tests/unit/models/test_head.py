"""Log-probs from hidden states by chunks against torch's own log-softmax of all logits."""

from typing import Any

import pytest
import torch
from torch import Tensor

from rkd_online.models.head import token_logprobs
from rkd_online.models.logits import Head, Limits

TOKENS, WIDTH, VOCABULARY = 7, 5, 31
TARGETS = torch.tensor([0, 30, 4, 4, 17, 29, 1])
HEADS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bias": {"bias": True},
    "scaled": {"scale": 0.25},
    "capped": {"cap": 3.0},
    "all": {"bias": True, "scale": 2.0, "cap": 5.0},
}


def example(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states, weight and bias."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((TOKENS, WIDTH), (VOCABULARY, WIDTH), (VOCABULARY,))
    hidden, weight, bias = (
        2 * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes
    )
    return (
        hidden.to(dtype).requires_grad_(),
        weight.to(dtype).requires_grad_(),
        bias.to(dtype).requires_grad_(),
    )


def table(
    hidden: Tensor, weight: Tensor, bias: Tensor, temperature: float, kind: dict[str, Any]
) -> Tensor:
    """All log-probs [N, V], by the formulas of the models that have such heads."""
    logits = hidden @ weight.T
    if "bias" in kind:
        logits = logits + bias
    logits = logits * kind.get("scale", 1.0)
    if "cap" in kind:
        logits = kind["cap"] * torch.tanh(logits / kind["cap"])
    return torch.log_softmax(logits / temperature, -1)


def head(weight: Tensor, bias: Tensor, kind: dict[str, Any]) -> Head:
    return Head(weight, **kind | ({"bias": bias} if "bias" in kind else {}))


@pytest.mark.parametrize("kind", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize(
    "limits",
    [Limits(), Limits(3 * VOCABULARY, 0), Limits(2 * VOCABULARY, 4 * VOCABULARY), Limits(1, 1000)],
    ids=["one chunk", "none kept", "two of four kept", "a token each"],
)
def test_values_and_gradients_are_those_of_the_whole_table(
    kind: dict[str, Any], temperature: float, limits: Limits
) -> None:
    ours, theirs = example(), example()
    found, entropy = token_logprobs(
        ours[0],
        head(ours[1], ours[2], kind),
        TARGETS,
        temperature,
        dtype=torch.float64,
        limits=limits,
    )
    whole = table(*theirs, temperature, kind)
    expected = whole[torch.arange(TOKENS), TARGETS]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert not entropy.requires_grad
    by_hand = -(whole.exp() * whole).sum(-1).detach()
    torch.testing.assert_close(entropy, by_hand, rtol=0, atol=1e-12)
    weights = torch.linspace(-2, 1, TOKENS, dtype=torch.float64)
    (found @ weights).backward()
    (expected @ weights).backward()
    for one, other in zip(ours, theirs, strict=True):
        if other.grad is None:
            assert one.grad is None
        else:
            assert one.grad is not None
            torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-11)


def test_a_token_too_improbable_for_float32_has_a_finite_logprob_and_gradient() -> None:
    hidden = torch.tensor([[1.0]], requires_grad=True)
    weight = torch.tensor([[0.0], [300.0], [299.0]], requires_grad=True)
    found, _ = token_logprobs(hidden, Head(weight), torch.tensor([0]), 1.0, dtype=torch.float32)
    # log(1 / (1 + e**300 + e**299)) = -300 - log(1 + 1/e)
    assert float(found.detach()) == pytest.approx(-300.3132617, abs=1e-4)
    found.sum().backward()
    assert weight.grad is not None
    expected = [1.0, -0.7310586, -0.2689414]
    assert weight.grad.flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_of_16_bits_are_the_factors_and_products_alone() -> None:
    ours, theirs = example(torch.float32), example(torch.float32)
    limits = Limits(3 * VOCABULARY, 3 * VOCABULARY)
    found, entropy = token_logprobs(
        ours[0], Head(ours[1]), TARGETS, 4.0, dtype=torch.bfloat16, limits=limits
    )
    assert found.dtype == entropy.dtype == torch.float32
    whole = table(*theirs, 4.0, {})
    expected = whole[torch.arange(TOKENS), TARGETS]
    # Both factors and the product are rounded to 8 bits, each an error of 2**-9 at the most, and a
    # log-prob is the difference of two logits or of what is like one.
    largest = float((theirs[0].abs() @ theirs[1].abs().T / 4.0).detach().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=2 * 3 * 2**-9 * largest)
    found.sum().backward()
    expected.sum().backward()
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        assert one.grad is not None and other.grad is not None and one.grad.dtype == torch.float32
        # As far as probabilities move, and they are near what the factors' rounding is.
        assert float((one.grad - other.grad).norm() / other.grad.norm()) < 0.02


@pytest.mark.parametrize("kept", [0, 2, 100])
def test_no_table_is_kept_beyond_the_limit(kept: int) -> None:
    """Chunks of two tokens; what the backward pass holds beside inputs and numbers per token."""
    hidden, weight, _ = example()
    sizes: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    limits = Limits(2 * VOCABULARY, kept * VOCABULARY)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        token_logprobs(hidden, Head(weight), TARGETS, 1.0, dtype=torch.float64, limits=limits)
    inputs = [hidden.numel(), weight.numel(), TOKENS, TOKENS]
    chunks = [count * VOCABULARY for count in (2, 2, 2, 1)]
    expected = {0: [], 2: chunks[:1], 100: chunks}[kept]
    assert sorted(sizes) == sorted([*inputs, *expected])


def test_without_gradient_nothing_is_kept() -> None:
    hidden, weight, _ = example()
    with torch.no_grad():
        found, _ = token_logprobs(hidden, Head(weight), TARGETS, 1.0, dtype=torch.float64)
    assert found.grad_fn is None


def test_a_weight_that_is_not_trained_gets_no_gradient() -> None:
    hidden, weight, _ = example()
    frozen = weight.detach()
    found, _ = token_logprobs(hidden, Head(frozen), TARGETS, 1.0, dtype=torch.float64)
    found.sum().backward()
    assert hidden.grad is not None and frozen.grad is None
