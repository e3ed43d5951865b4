"""What is kept for the backward pass, against what torch saves."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from rkd_online.models import attention
from rkd_online.models.forward import packed_statistics
from rkd_online.models.logits import CHUNK_ELEMENTS, KEPT_ELEMENTS
from rkd_online.models.packed import PackedBatch, pack
from rkd_online.scoring.teacher import FORWARD_TOKENS
from rkd_online.spec.sizing import engine, head, layout, scorer
from rkd_online.spec.sizing.activations import layer_bytes
from rkd_online.spec.sizing.families import shape_of
from rkd_online.types import token_ids
from rkd_online.weights.files import KEPT_VERSIONS

SHAPE: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 96,
    "intermediate_size": 160,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
SIBLINGS, PROMPT, COMPLETION = 4, 20, 13


def model(kind: str, layers: int) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == "qwen3":
            made: PreTrainedModel = Qwen3ForCausalLM(Qwen3Config(**SHAPE, num_hidden_layers=layers))
        else:
            made = LlamaForCausalLM(LlamaConfig(**SHAPE, num_hidden_layers=layers))
    made.eval()
    made.set_attn_implementation(attention.NAME)
    return made


def batch() -> PackedBatch:
    prompt = token_ids(range(PROMPT))
    return pack([(prompt, token_ids(range(i, i + COMPLETION))) for i in range(SIBLINGS)])


def saved(kind: str, layers: int, dtype: torch.dtype) -> int:
    """Bytes of all storages that the graph keeps, those of parameters left out."""
    made = model(kind, layers)
    own = {one.untyped_storage().data_ptr() for one in made.parameters()}
    copies = {(*one.shape,) for one in made.parameters()}
    found: dict[int, int] = {}
    alive: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        place, turned = tensor.untyped_storage(), (*tensor.shape[::-1],)
        copied = tensor.dtype == torch.bfloat16 and {(*tensor.shape,), turned} & copies
        if place.data_ptr() not in own and not copied:
            found[place.data_ptr()] = place.nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        packed_statistics(made, batch(), 1.0, dtype)
    return sum(found.values())


@pytest.mark.parametrize("kind", ["qwen3", "llama"])
@pytest.mark.parametrize(("dtype", "narrow"), [(torch.float32, 4), (torch.bfloat16, 2)])
def test_a_layer_keeps_what_torch_saves_for_it(kind: str, dtype: torch.dtype, narrow: int) -> None:
    tokens = PROMPT + SIBLINGS * (COMPLETION - 1)
    shape = shape_of({"model_type": kind, "num_hidden_layers": 1} | SHAPE, Path("config.json"))
    keys = (PROMPT + SIBLINGS * (PROMPT + COMPLETION - 1)) / tokens
    # A CPU's attention has a copy of the siblings' mask in the precision of its products.
    queries = COMPLETION - 1
    mask = 0 if narrow == 4 else narrow * queries * (PROMPT + queries)
    one_more = saved(kind, 3, dtype) - saved(kind, 2, dtype) - mask
    assert one_more == pytest.approx(tokens * layer_bytes(shape, narrow, keys), rel=1e-9)


def test_the_limits_are_those_of_the_code_that_computes() -> None:
    from rkd_online.inference import build

    assert (head.CHUNK, head.KEPT) == (CHUNK_ELEMENTS, KEPT_ELEMENTS)
    assert scorer.FORWARD_TOKENS == FORWARD_TOKENS
    assert layout.VERSIONS == KEPT_VERSIONS + 1
    assert engine.STEP_TOKENS == build.STEP_TOKENS
    assert engine.URGENT_SEQUENCES == build.URGENT_SEQUENCES


def test_the_cache_of_a_token_is_as_large_as_vllm_says() -> None:
    from vllm.v1.kv_cache_interface import FullAttentionSpec

    for gpus, heads in ((1, 2), (2, 1), (4, 1)):
        one = FullAttentionSpec(
            block_size=16, num_kv_heads=heads, head_size=16, dtype=torch.bfloat16
        )
        shape = shape_of({"model_type": "qwen3", "num_hidden_layers": 5} | SHAPE, Path("c.json"))
        found = engine.kv_bytes_per_token(shape, 2, gpus)
        assert found * 16 == 5 * one.page_size_bytes
