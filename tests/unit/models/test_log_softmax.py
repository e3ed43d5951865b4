"""Log-probs and entropies by chunks against torch's own log-softmax of the whole, in float64."""

import pytest
import torch
from torch import Tensor

from rkd_online.models.log_softmax import chosen_logprobs, entropies

ROWS, VOCABULARY = 7, 31


def example(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, targets with the first and last id among them, and a weight for each log-prob."""
    generator = torch.Generator().manual_seed(0)
    logits = 6 * torch.randn(ROWS, VOCABULARY, generator=generator, dtype=torch.float64)
    targets = torch.tensor([0, 30, 4, 4, 17, 29, 1])
    weights = torch.randn(ROWS, generator=generator, dtype=torch.float64)
    return logits.to(dtype).requires_grad_(), targets, weights


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("chunk", [1, 3, ROWS, ROWS + 5])
def test_values_and_gradient_are_those_of_the_whole(chunk: int, temperature: float) -> None:
    logits, targets, weights = example()
    whole, _, _ = example()
    found = chosen_logprobs(logits, targets, temperature, chunk=chunk)
    table = torch.log_softmax(whole / temperature, -1)
    expected = table[torch.arange(ROWS), targets]
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    assert logits.grad is not None and whole.grad is not None
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(logits.grad, whole.grad, rtol=0, atol=1e-12)
    spread = entropies(logits, temperature, chunk=chunk)
    assert not spread.requires_grad
    by_hand = -(table.exp() * table).sum(-1).detach()
    torch.testing.assert_close(spread, by_hand, rtol=0, atol=1e-12)


def test_logits_of_16_bits_give_numbers_of_32() -> None:
    logits, targets, _ = example(torch.bfloat16)
    found = chosen_logprobs(logits, targets, 0.7, chunk=3)
    expected = torch.log_softmax(logits.detach().double() / 0.7, -1)[torch.arange(ROWS), targets]
    assert found.dtype == entropies(logits, 0.7).dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-5)
    found.sum().backward()
    assert logits.grad is not None and logits.grad.dtype == torch.bfloat16


def test_logits_are_neither_copied_nor_held_as_a_second_table() -> None:
    """What a backward pass keeps beside the logits has a number for each row, not each logit."""
    logits, targets, _ = example()
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        chosen_logprobs(logits, targets, 1.0, chunk=3)
    large = [one for one in kept if one.numel() >= logits.numel()]
    assert [one.data_ptr() for one in large] == [logits.data_ptr()]
