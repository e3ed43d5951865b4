"""Models of random weights, and prompts of an exact length for them.

They lie under ``$RKD_BENCH_DIR``, by default ``.bench``, and are written once.
"""

import json
import os
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from benchmarks.results import ROOT

VOCABULARY: Final = 32_000
PAD, END = "<pad>", "<end>"
SEED: Final = 0
CONTEXT: Final = 1024
PROMPTS: Final = {"train": 512, "validation": 8, "test": 8}


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder as Qwen3 builds it, its head tied to its embedding."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int


SHAPES: Final = {
    "10M": Shape(width=192, layers=9, heads=6, kv_heads=2, head_size=32),
    "100M": Shape(width=640, layers=16, heads=10, kv_heads=5, head_size=64),
}


def folder() -> Path:
    """Where everything that benchmarks build is kept."""
    return Path(os.environ.get("RKD_BENCH_DIR", ROOT / ".bench")).expanduser().resolve()


def random_model(size: str) -> Path:
    """The folder of a model in Hugging Face format with its tokenizer."""
    place = folder() / "models" / size
    if not (place / "tokenizer.json").is_file():
        make_model(SHAPES[size], VOCABULARY).save_pretrained(place)
        make_tokenizer(VOCABULARY).save_pretrained(place)
    return place


def make_model(shape: Shape, vocabulary: int) -> Qwen3ForCausalLM:
    """Random weights, the same each time, under which no completion ever ends by itself."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = Qwen3ForCausalLM(_config(shape, vocabulary))
    model.generation_config = GenerationConfig(eos_token_id=1, pad_token_id=0)
    _never_end(model)
    return model


def _config(shape: Shape, vocabulary: int) -> Qwen3Config:
    return Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=shape.width,
        intermediate_size=3 * shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_size,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
        dtype="float32",
    )


@torch.no_grad()
def _never_end(model: Qwen3ForCausalLM) -> None:
    """Channel 0 of the residual stream becomes a positive constant that no layer changes, and the
    end token's row of the tied head answers it with a logit far below all others."""
    for name, weight in model.named_parameters():
        if name.endswith("embed_tokens.weight"):
            weight[:, 0] = 0.1
            weight[1, 0] = -1000.0
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            weight[0] = 0.0


def make_tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """One token a word. Every second word ends in 1, the others in 0."""
    words = [PAD, END, *(word(index) for index in range(2, vocabulary))]
    backend = Tokenizer(WordLevel({text: index for index, text in enumerate(words)}, unk_token=PAD))
    backend.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=END,
        unk_token=PAD,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def word(index: int) -> str:
    """Three letters for ``index // 2``, and the bit that is left."""
    place, bit = divmod(index, 2)
    letters = ""
    for _ in range(3):
        place, letter = divmod(place, 26)
        letters += string.ascii_lowercase[letter]
    return f"{letters}{bit}"


def prompt_files(tokens: int) -> dict[str, Path]:
    """A JSONL file for each split: prompts of exactly ``tokens`` tokens.

    The answer is 1, which the last word of half of all completions ends in: rewards differ within
    a group, so no side can save itself the update.
    """
    chance = torch.Generator().manual_seed(SEED)
    found: dict[str, Path] = {}
    for split, count in PROMPTS.items():
        found[split] = folder() / "prompts" / f"{tokens}-{split}.jsonl"
        found[split].parent.mkdir(parents=True, exist_ok=True)
        rows = torch.randint(2, VOCABULARY, (count, tokens), generator=chance).tolist()
        lines = (json.dumps({"prompt": " ".join(map(word, row)), "answer": "1"}) for row in rows)
        found[split].write_text("\n".join(lines) + "\n")
    return found
