"""Which models are given packs, and what becomes of the others."""

import logging
from copy import deepcopy

import pytest
import torch
import transformers
from transformers import PreTrainedConfig, PreTrainedModel

from rkd_online.errors import ModelError
from rkd_online.models import attention
from rkd_online.models.completion_model import CompletionModel
from rkd_online.models.verify import packing_fault
from tests.tiny_models import SHAPE, TOKENIZER_SIZE, TOKENS, tiny_causal_lm
from tests.unit.models.plain import gradients, pairs, plain, weighted

SEQUENCES = pairs((7, (9, 4, 1, 30)), (1, (3, 6)), (40, (60, 2)), (9, (5,)))
PACKED: dict[str, PreTrainedConfig] = {
    "caps, windows in every other layer": transformers.Gemma2Config(
        **SHAPE, vocab_size=TOKENIZER_SIZE, sliding_window=5, attn_logit_softcapping=2.0
    ),
    "windows": transformers.MistralConfig(**SHAPE, vocab_size=TOKENIZER_SIZE, sliding_window=5),
    "logit_scale": transformers.CohereConfig(**SHAPE, vocab_size=TOKENIZER_SIZE, logit_scale=0.25),
    "logits_scaling": transformers.GraniteConfig(
        **SHAPE, vocab_size=TOKENIZER_SIZE, logits_scaling=8.0
    ),
    "bias in the head": transformers.PhiConfig(**SHAPE, vocab_size=TOKENIZER_SIZE),
    "experts": transformers.Qwen3MoeConfig(
        **SHAPE,
        vocab_size=TOKENIZER_SIZE,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=32,
    ),
}
PADDED: dict[str, tuple[PreTrainedConfig, str]] = {
    "state space": (
        transformers.MambaConfig(
            **TOKENS,
            hidden_size=64,
            num_hidden_layers=2,
            vocab_size=TOKENIZER_SIZE,
            initializer_range=0.1,
        ),
        "its class takes no other attention than its own",
    ),
    "sinks": (
        transformers.GptOssConfig(
            **SHAPE, vocab_size=TOKENIZER_SIZE, num_local_experts=2, num_experts_per_tok=1
        ),
        "log-probs of a pack differ by 0.",
    ),
    "convolutions": (
        transformers.Lfm2Config(
            **SHAPE, vocab_size=TOKENIZER_SIZE, layer_types=["conv", "full_attention"]
        ),
        r"it has layers of the kinds ['conv']",
    ),
}


def build(config: PreTrainedConfig) -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(
            deepcopy(config), attn_implementation="eager"
        )
    assert isinstance(model, PreTrainedModel)
    model.eval()
    return model


@pytest.mark.parametrize("config", PACKED.values(), ids=PACKED)
def test_a_model_that_our_attention_and_head_know_is_packed(config: PreTrainedConfig) -> None:
    packed, model = CompletionModel(build(config)), build(config)
    assert packed.packs
    found = packed(packed.batch(SEQUENCES), 0.7)
    expected = plain(model, SEQUENCES, 0.7)
    for row, entropy, (logprobs, spread) in zip(*found, expected, strict=True):
        torch.testing.assert_close(row[: len(logprobs)], logprobs, rtol=0, atol=1e-5)
        torch.testing.assert_close(entropy[: len(spread)], spread, rtol=0, atol=1e-5)
    weighted(list(found.logprobs[:, :1])).backward()
    weighted([row[:1] for row, _ in expected]).backward()
    for one, other in zip(gradients(packed), gradients(model), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("config", "fault"), PADDED.values(), ids=PADDED)
def test_another_model_is_padded_and_the_log_says_why(
    config: PreTrainedConfig, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "rkd_online"):
        padded = CompletionModel(build(config))
    (line,) = [record.getMessage() for record in caplog.records if "padded" in record.getMessage()]
    assert line.startswith(type(padded.model).__name__) and fault in line
    assert not padded.packs
    assert padded.model.config._attn_implementation != attention.NAME
    with torch.no_grad():
        found = padded(padded.batch(SEQUENCES), 0.7)
        for row, (logprobs, _) in zip(
            found.logprobs, plain(build(config), SEQUENCES, 0.7), strict=True
        ):
            torch.testing.assert_close(row[: len(logprobs)], logprobs, rtol=0, atol=1e-5)


def test_a_window_that_never_reaches_the_attention_is_found_though_the_trial_is_shorter() -> None:
    config = transformers.MistralConfig(**SHAPE, vocab_size=TOKENIZER_SIZE, sliding_window=100)
    model = build(config)
    assert packing_fault(model) is None
    model.set_attn_implementation("eager")
    model.config.layer_types = ["full_attention", "sliding_attention"]
    assert packing_fault(model) == (
        "its attention was called with the windows [100, 100], the settings say [None, 100]"
    )


def test_a_head_that_is_not_linear_is_not_guessed() -> None:
    model = tiny_causal_lm("llama-untied")
    model.eval()
    model.set_output_embeddings(torch.nn.Sequential(model.get_output_embeddings()))
    assert packing_fault(model) == "its output layer is not linear"


def test_a_number_that_is_none_is_a_fault() -> None:
    model = tiny_causal_lm("llama-untied")
    model.eval()
    with torch.no_grad():
        model.get_output_embeddings().weight.fill_(float("nan"))
    assert packing_fault(model) == (
        "log-probs of a pack differ by nan nats from those of its sequences alone"
    )


def test_another_attention_set_later_is_no_silent_change() -> None:
    packed = CompletionModel(build(PACKED["windows"]))
    packed.model.set_attn_implementation("eager")
    with pytest.raises(ModelError, match="its attention is 'eager', not 'rkd_packed'"):
        packed(packed.batch(SEQUENCES), 1.0)
