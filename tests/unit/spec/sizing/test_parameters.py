"""Parameters from a configuration, against transformers' own models and the hub's own counts."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from rkd_online.errors import ModelError
from rkd_online.spec.model_files import read_model
from rkd_online.spec.sizing.families import FAMILIES, shape_of
from rkd_online.spec.sizing.source import known_models
from rkd_online.zoo import zoo_path

TINY: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}
SIZED_HEADS = TINY | {"head_dim": 24}
MOE = SIZED_HEADS | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 40}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gemma": ("gemma", SIZED_HEADS),
    "gemma2": ("gemma2", SIZED_HEADS),
    "gemma3": ("gemma3_text", SIZED_HEADS),
    "gemma3 untied": ("gemma3_text", SIZED_HEADS | {"tie_word_embeddings": False}),
    "llama untied": ("llama", TINY | {"tie_word_embeddings": False}),
    "llama tied": ("llama", TINY | {"tie_word_embeddings": True}),
    "llama biases": ("llama", SIZED_HEADS | {"attention_bias": True, "mlp_bias": True}),
    "mistral": ("mistral", TINY),
    "mixtral": ("mixtral", TINY | {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "olmo2": ("olmo2", TINY),
    "phi3": ("phi3", TINY),
    "qwen2": ("qwen2", TINY),
    "qwen2 tied": ("qwen2", TINY | {"tie_word_embeddings": True}),
    "qwen3": ("qwen3", SIZED_HEADS),
    "qwen3 tied": ("qwen3", SIZED_HEADS | {"tie_word_embeddings": True}),
    "qwen3 size of heads left out": ("qwen3", TINY),
    "qwen3_moe": ("qwen3_moe", MOE),
    "qwen3_moe every second layer": ("qwen3_moe", MOE | {"decoder_sparse_step": 2}),
    "qwen3_moe dense layers": ("qwen3_moe", MOE | {"mlp_only_layers": [0, 2]}),
}
HUB = {
    "Qwen/Qwen3-0.6B": 596_049_920,
    "Qwen/Qwen3-1.7B": 1_720_574_976,
    "Qwen/Qwen3-4B": 4_022_468_096,
    "Qwen/Qwen3-8B": 8_190_735_360,
    "Qwen/Qwen3-8B-Base": 8_190_735_360,
    "Qwen/Qwen3-14B": 14_768_307_200,
    "Qwen/Qwen3-32B": 32_762_123_264,
    "Qwen/Qwen3-30B-A3B": 30_532_122_624,
    "Qwen/Qwen2.5-0.5B-Instruct": 494_032_768,
    "Qwen/Qwen2.5-1.5B-Instruct": 1_543_714_304,
    "Qwen/Qwen2.5-7B-Instruct": 7_615_616_512,
    "meta-llama/Llama-3.1-8B": 8_030_261_248,
    "meta-llama/Llama-3.1-70B": 70_553_706_496,
    "meta-llama/Llama-3.2-1B": 1_235_814_400,
    "meta-llama/Llama-3.2-3B": 3_212_749_824,
    "mistralai/Mistral-7B-v0.3": 7_248_023_552,
    "mistralai/Mixtral-8x7B-v0.1": 46_702_792_704,
    "google/gemma-2-2b": 2_614_341_888,
    "google/gemma-2-9b": 9_241_705_984,
    "google/gemma-3-1b-pt": 999_885_952,
}
"""``safetensors.total`` of https://huggingface.co/api/models/NAME. The files of Qwen3-0.6B and 1.7B
hold their tied head a second time (751,632,384 and 2,031,739,904 there): here it counts once."""


def test_every_family_is_counted_here() -> None:
    assert {kind for kind, _ in CASES.values()} == set(FAMILIES)


@pytest.mark.parametrize("name", CASES)
def test_parameters_are_those_of_transformers(name: str) -> None:
    kind, settings = CASES[name]
    config = AutoConfig.for_model(kind, **settings)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    given = {"model_type": kind} | settings
    assert shape_of(given, Path("config.json")).parameters == model.num_parameters()
    saved = config.to_dict()
    assert shape_of(saved, Path("config.json")).parameters == model.num_parameters()


@pytest.mark.parametrize("name", HUB)
def test_known_models_have_the_parameters_that_the_hub_counts(name: str) -> None:
    content, source = known_models()[name]
    assert shape_of(content, Path("config.json")).parameters == HUB[name]
    assert source.startswith("known: huggingface.co/")


@pytest.mark.parametrize("name", ["student", "teacher"])
def test_bundled_models_have_the_parameters_of_their_files(name: str) -> None:
    found = read_model(zoo_path(f"zoo:chain-sum/{name}"))
    content = {"model_type": "qwen3"} | found.decoder.model_dump(exclude_none=True)
    shape = shape_of(content | _rest(found.folder), found.folder)
    assert shape.parameters == found.parameters
    assert shape.kv_values() * 4 == found.kv_bytes_per_token(4, 1)


def _rest(folder: Path) -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found


def test_a_token_meets_the_experts_that_it_is_sent_to() -> None:
    content, _ = known_models()["Qwen/Qwen3-30B-A3B"]
    shape = shape_of(content, Path("config.json"))
    # 48 layers of attention 18,874,368, a router of 262,144 and 8 experts of 4,718,592.
    assert shape.active == 48 * (18_874_368 + 262_144 + 8 * 4_718_592) == 2_730_491_904


def test_an_unknown_architecture_is_refused_by_name() -> None:
    with pytest.raises(
        ModelError, match=r"config.json: model_type 'mamba2' is not an architecture"
    ):
        shape_of(TINY | {"model_type": "mamba2"}, Path("config.json"))


def test_a_model_with_eyes_is_refused() -> None:
    with pytest.raises(ModelError, match="has a vision_config"):
        shape_of({"text_config": TINY, "vision_config": {}}, Path("config.json"))


def test_a_size_that_is_missing_is_named() -> None:
    content = {"model_type": "qwen3"} | TINY
    del content["intermediate_size"]
    with pytest.raises(ModelError, match="intermediate_size: Field required"):
        shape_of(content, Path("config.json"))
