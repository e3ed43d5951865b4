"""Tiny random models in Hugging Face format, for tests that need a real folder.

Two architectures that differ where code breaks: Qwen3 with tied embeddings and Llama without. And
GPT-2, which names its settings and places its embedding otherwise than these, and GPT-OSS, whose
attention cannot be packed. The tokenizer is byte-level without merges, so any text encodes and
every id below its size decodes.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GptOssConfig,
    GptOssForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

ModelKind = Literal["qwen3-tied", "llama-untied"]
OtherKind = Literal["gpt2-tied"]
PaddedKind = Literal["gpt-oss-untied"]

PAD, START, END, END_OF_TEXT = "<|pad|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"
SPECIAL_TOKENS = (PAD, START, END, END_OF_TEXT)
TOKENIZER_SIZE = 256 + len(SPECIAL_TOKENS)
END_TOKEN_IDS = (258, 259)
CONTEXT = 256

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}"
    "{% endif %}"
)

TOKENS: dict[str, Any] = {
    "pad_token_id": 256,
    "eos_token_id": END_TOKEN_IDS[0],
    "bos_token_id": None,
}

SHAPE: dict[str, Any] = TOKENS | {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.1,
}

GPT2_SHAPE: dict[str, Any] = TOKENS | {
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": CONTEXT,
    "initializer_range": 0.1,
}


def tiny_tokenizer(chat_template: str | None = CHAT_TEMPLATE) -> PreTrainedTokenizerFast:
    """One id per byte (0 to 255), then the special tokens; ``<|im_end|>`` is the end token."""
    vocabulary = {symbol: index for index, symbol in enumerate(sorted(ByteLevel.alphabet()))}
    vocabulary |= {token: 256 + index for index, token in enumerate(SPECIAL_TOKENS)}
    backend = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = ByteLevelDecoder()
    backend.add_special_tokens(list(SPECIAL_TOKENS))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=[START, END_OF_TEXT],
        chat_template=chat_template,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def tiny_causal_lm(
    kind: ModelKind | OtherKind | PaddedKind, seed: int = 0, vocab: int = TOKENIZER_SIZE
) -> PreTrainedModel:
    """A random float32 model; the global random state is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if kind == "qwen3-tied":
            return Qwen3ForCausalLM(
                Qwen3Config(vocab_size=vocab, tie_word_embeddings=True, **SHAPE)
            )
        if kind == "gpt2-tied":
            return GPT2LMHeadModel(GPT2Config(vocab_size=vocab, **GPT2_SHAPE))
        if kind == "gpt-oss-untied":
            return GptOssForCausalLM(
                GptOssConfig(vocab_size=vocab, num_local_experts=2, num_experts_per_tok=1, **SHAPE)
            )
        return LlamaForCausalLM(LlamaConfig(vocab_size=vocab, tie_word_embeddings=False, **SHAPE))


def make_tiny_model(
    folder: Path,
    kind: ModelKind | OtherKind | PaddedKind = "qwen3-tied",
    *,
    shards: Literal[1, 2] = 1,
    seed: int = 0,
    vocab: int = TOKENIZER_SIZE,
    chat_template: str | None = CHAT_TEMPLATE,
) -> Path:
    """Write model, generation config with two end tokens and tokenizer; returns ``folder``.

    ``vocab`` above ``TOKENIZER_SIZE`` pads the embedding. ``shards`` 2 writes several weight files
    and their index.
    """
    model = tiny_causal_lm(kind, seed, vocab)
    model.generation_config = GenerationConfig(
        eos_token_id=list(END_TOKEN_IDS), pad_token_id=SHAPE["pad_token_id"]
    )
    size = sum(parameter.numel() * 4 for parameter in model.parameters())
    model.save_pretrained(folder, max_shard_size="1GB" if shards == 1 else size * 2 // 3)
    tiny_tokenizer(chat_template).save_pretrained(folder)
    return folder
