"""What the generators get of a learner: its tensors and its probe."""

from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

from rkd_online.models.load import load_causal_lm
from rkd_online.types import token_ids
from tests.tiny_models import SHAPE, TOKENIZER_SIZE, ModelKind, make_tiny_model, tiny_causal_lm
from tests.unit.learning.training import learner


@pytest.mark.parametrize("kind", get_args(ModelKind))
def test_every_tensor_leaves_once_under_its_name(tmp_path: Path, kind: ModelKind) -> None:
    tensors = list(learner(make_tiny_model(tmp_path, kind)).state_tensors())
    names = [name for name, _ in tensors]
    expected = set(tiny_causal_lm(kind).state_dict())
    if kind == "qwen3-tied":
        expected.remove("lm_head.weight")
    assert len(names) == len(expected)
    assert set(names) == expected
    assert len({tensor.data_ptr() for _, tensor in tensors}) == len(names)
    assert not any(tensor.requires_grad for _, tensor in tensors)


def test_experts_leave_under_the_names_of_their_file(tmp_path: Path) -> None:
    config = Qwen3MoeConfig(
        **SHAPE,
        vocab_size=TOKENIZER_SIZE,
        moe_intermediate_size=8,
        num_experts=4,
        num_experts_per_tok=2,
    )
    Qwen3MoeForCausalLM(config).save_pretrained(tmp_path)
    written = load_file(tmp_path / "model.safetensors")
    left = dict(learner(tmp_path).state_tensors())
    assert left.keys() == written.keys()
    assert "model.layers.0.mlp.experts.3.up_proj.weight" in left
    assert all(torch.equal(tensor, written[name]) for name, tensor in left.items())


def test_the_probe_is_the_log_softmax_at_temperature_one(policy: Path) -> None:
    ids = token_ids([3, 141, 59, 26, 5, 35])
    found = learner(policy).probe(ids)
    with torch.no_grad():
        expected = load_causal_lm(policy)(input_ids=torch.tensor([ids.tolist()])).logits[0]
    by_hand = [
        float(expected[place].double().log_softmax(-1)[ids[place + 1]]) for place in range(5)
    ]
    assert found.tolist() == pytest.approx(by_hand, abs=1e-5)
