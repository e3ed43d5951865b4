"""Log-probs of padded batches against one plain forward of each sequence alone."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.models.logprobs import completion_logprobs, completion_statistics
from rkd_online.types import TokenIds, token_ids
from tests.tiny_models import ModelKind, tiny_causal_lm

PAD = 0
TEMPERATURE = 0.7
PAIRS: list[tuple[TokenIds, TokenIds]] = [
    (token_ids([5, 9, 200, 31]), token_ids([7, 7, 258])),
    (token_ids([80]), token_ids([1, 2, 3, 4, 5, 6, 258])),
    (token_ids([11, 12, 13, 14, 15, 16, 17, 18, 19]), token_ids([40])),
]


def distributions(model: PreTrainedModel, prompt: TokenIds, completion: TokenIds) -> Tensor:
    """Unpadded: probabilities [T, V] of every completion token, in float64."""
    logits: Tensor = model(input_ids=torch.tensor([[*prompt, *completion]])).logits[0].double()
    scaled = logits[len(prompt) - 1 : -1] / TEMPERATURE
    return scaled.exp() / scaled.exp().sum(-1, keepdim=True)


@pytest.fixture(params=get_args(ModelKind))
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    model = tiny_causal_lm(request.param)
    model.eval()
    return model


def test_a_padded_batch_gives_what_each_sequence_gives_alone(model: PreTrainedModel) -> None:
    with torch.no_grad():
        found = completion_logprobs(model, PAIRS, TEMPERATURE, pad_id=PAD)
        assert (found.dtype, found.shape) == (torch.float32, (3, 7))
        for row, (prompt, completion) in zip(found, PAIRS, strict=True):
            expected = distributions(model, prompt, completion)
            for place, token in enumerate(completion):
                assert abs(float(row[place]) - math.log(expected[place, token])) < 1e-5
            assert row[len(completion) :].tolist() == [0.0] * (7 - len(completion))


def test_entropy_is_over_the_whole_vocabulary(model: PreTrainedModel) -> None:
    with torch.no_grad():
        found = completion_statistics(model, PAIRS, TEMPERATURE, pad_id=PAD)
        same = completion_logprobs(model, PAIRS, TEMPERATURE, pad_id=PAD)
        assert torch.equal(found.logprobs, same)
        for row, (prompt, completion) in zip(found.entropy, PAIRS, strict=True):
            expected = distributions(model, prompt, completion)
            for place, chances in enumerate(expected.tolist()):
                by_hand = -sum(chance * math.log(chance) for chance in chances)
                assert abs(float(row[place]) - by_hand) < 1e-5
            assert row[len(completion) :].tolist() == [0.0] * (7 - len(completion))


def test_the_gradient_is_that_of_the_sequences_alone(model: PreTrainedModel) -> None:
    found = completion_statistics(model, PAIRS, TEMPERATURE, pad_id=PAD)
    assert not found.entropy.requires_grad
    found.logprobs.sum().backward()
    together = [parameter.grad for parameter in model.parameters()]
    model.zero_grad(set_to_none=True)
    for prompt, completion in PAIRS:
        chances = distributions(model, prompt, completion)
        chances.log().gather(1, torch.tensor(completion)[:, None]).sum().backward()
    for gradient, parameter in zip(together, model.parameters(), strict=True):
        assert gradient is not None
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-4, atol=1e-4)


def test_a_prompt_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match=r"prompts of \[0\] and completions of \[1\] tokens"):
        completion_logprobs(
            tiny_causal_lm("qwen3-tied"), [(token_ids([]), token_ids([1]))], 1.0, pad_id=PAD
        )
