"""Padded rows against one plain forward of each sequence alone."""

from typing import Any, get_args

import pytest
import torch
from transformers import PreTrainedModel

from rkd_online.errors import ModelError
from rkd_online.models.padded import pad, padded_statistics
from tests.tiny_models import ModelKind, OtherKind, tiny_causal_lm
from tests.unit.models.plain import gradients, pairs, plain, weighted

SEQUENCES = pairs((4, (3,)), (1, (7,)), (9, (1,)))


@pytest.fixture(params=(*get_args(ModelKind), *get_args(OtherKind)))
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    model = tiny_causal_lm(request.param)
    model.eval()
    return model


def test_padded_rows_give_what_each_sequence_gives_alone(model: PreTrainedModel) -> None:
    logprobs, entropy = padded_statistics(model, pad(SEQUENCES), 0.7, torch.float32)
    assert (logprobs.dtype, logprobs.shape, entropy.shape) == (torch.float32, (3, 7), (3, 7))
    assert not entropy.requires_grad
    expected = plain(model, SEQUENCES, 0.7)
    for row, spread, (one, other) in zip(logprobs, entropy, expected, strict=True):
        torch.testing.assert_close(row[: len(one)], one, rtol=0, atol=1e-5)
        torch.testing.assert_close(spread[: len(one)], other, rtol=0, atol=1e-5)
        assert row[len(one) :].tolist() == spread[len(one) :].tolist() == [0.0] * (7 - len(one))


def test_the_gradient_is_that_of_the_sequences_alone(model: PreTrainedModel) -> None:
    found, _ = padded_statistics(model, pad(SEQUENCES), 0.7, torch.float32)
    chosen = [row[: len(pair[1])] for row, pair in zip(found, SEQUENCES, strict=True)]
    weighted(chosen).backward()
    together = gradients(model)
    weighted([row for row, _ in plain(model, SEQUENCES, 0.7)]).backward()
    for one, other in zip(together, gradients(model), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_a_model_that_returns_all_logits_is_named(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = model.forward

    def deaf(*, logits_to_keep: Any, **settings: Any) -> Any:
        return forward(**settings)

    monkeypatch.setattr(model, "forward", deaf)
    with pytest.raises(ModelError, match="ignores logits_to_keep: it returned logits"):
        padded_statistics(model, pad(SEQUENCES), 0.7, torch.float32)
