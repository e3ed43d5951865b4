"""Model folders: found, fetched and loaded as transformers loads them."""

import json
from pathlib import Path
from typing import Literal

import huggingface_hub
import pytest
import torch
from torch import Tensor
from transformers import Gemma2Config, Gemma2ForCausalLM, PreTrainedModel

from rkd_online.errors import ModelError, SpecError
from rkd_online.models.folder import context_length, resolve_for_run, vocabulary_size
from rkd_online.models.load import load_causal_lm
from tests.tiny_models import (
    CONTEXT,
    SHAPE,
    TOKENIZER_SIZE,
    ModelKind,
    make_tiny_model,
    tiny_causal_lm,
)


@pytest.mark.parametrize("kind", ["qwen3-tied", "llama-untied"])
@pytest.mark.parametrize("shards", [1, 2])
def test_a_model_is_loaded_as_it_was_written(
    tmp_path: Path, kind: ModelKind, shards: Literal[1, 2]
) -> None:
    folder = make_tiny_model(tmp_path, kind, shards=shards, seed=3)
    assert len(list(folder.glob("*.safetensors"))) == shards
    model = load_causal_lm(folder)
    written = tiny_causal_lm(kind, seed=3).state_dict()
    loaded = model.state_dict()
    assert loaded.keys() == written.keys()
    assert all(torch.equal(loaded[name], written[name]) for name in written)
    assert not model.training
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert tied is (kind == "qwen3-tied")


def test_capped_attention_is_capped(tmp_path: Path) -> None:
    config = Gemma2Config(**SHAPE, vocab_size=TOKENIZER_SIZE, attn_logit_softcapping=0.5)
    Gemma2ForCausalLM(config).save_pretrained(tmp_path)
    ids = torch.arange(60, 80)[None]

    def logits(model: PreTrainedModel) -> Tensor:
        with torch.no_grad():
            found = model(input_ids=ids).logits
        assert isinstance(found, Tensor)
        return found

    def loaded(attention: str) -> PreTrainedModel:
        model = Gemma2ForCausalLM.from_pretrained(tmp_path, attn_implementation=attention)
        assert isinstance(model, PreTrainedModel)
        return model

    capped, uncapped = logits(loaded("eager")), logits(loaded("sdpa"))
    assert (capped - uncapped).abs().max() > 1e-3
    assert torch.equal(logits(load_causal_lm(tmp_path)), capped)


def test_the_kind_of_number_is_the_callers_choice(tmp_path: Path) -> None:
    model = load_causal_lm(make_tiny_model(tmp_path), dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


def test_pickle_weights_are_never_read(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save(tiny_causal_lm("qwen3-tied").state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=f"cannot load the model in {folder}: "):
        load_causal_lm(folder)


def test_context_and_padded_vocabulary_come_from_the_configuration(tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path, vocab=320)
    assert (context_length(folder), vocabulary_size(folder)) == (CONTEXT, 320)


def test_a_context_that_the_folder_leaves_out_is_that_of_the_architecture(tmp_path: Path) -> None:
    """transformers gives Qwen3 32,768 tokens where its configuration names none."""
    folder = make_tiny_model(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    del config["max_position_embeddings"]
    (folder / "config.json").write_text(json.dumps(config))
    assert context_length(folder) == 32_768


def test_a_folder_without_a_configuration_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"{tmp_path} has no config.json"):
        context_length(tmp_path)
    with pytest.raises(ModelError, match=f"cannot read the configuration in {tmp_path}: "):
        load_causal_lm(tmp_path)


def test_a_folder_is_resolved_without_the_hub(tmp_path: Path) -> None:
    assert resolve_for_run(str(tmp_path)) == tmp_path


def test_of_a_hub_model_weights_settings_and_templates_are_fetched_at_the_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def download(name: str, **settings: object) -> str:
        asked.update(settings, name=name)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert resolve_for_run("hf:Qwen/Qwen3-8B@b968826") == tmp_path
    assert asked == {
        "name": "Qwen/Qwen3-8B",
        "revision": "b968826",
        "allow_patterns": ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"],
    }


def test_a_hub_model_that_cannot_be_fetched_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="cannot fetch hf:nobody/nothing@main: "):
        resolve_for_run("hf:nobody/nothing@main")


def test_a_hub_model_without_a_revision_is_refused() -> None:
    with pytest.raises(SpecError, match="is not of the form hf:ORG/NAME@REVISION"):
        resolve_for_run("hf:Qwen/Qwen3-8B")


def test_a_model_that_knows_no_fused_attention_is_loaded_with_its_own(tmp_path: Path) -> None:
    loaded = load_causal_lm(make_tiny_model(tmp_path / "model", "gpt-oss-untied"))
    assert loaded.config._attn_implementation == "eager"
