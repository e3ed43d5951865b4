"""Models: found, fetched and loaded."""

from pathlib import Path
from typing import Final

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
)

from rkd_online.errors import ModelError
from rkd_online.spec.references import (
    is_hub_reference,
    parse_hub_reference,
    resolve_model,
)

HUB_FILES: Final = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")
"""What a model consists of; pickle weights and code are never fetched."""


def resolve_for_run(reference: str) -> Path:
    """The folder of any model reference; one of the hub is fetched into the hub's own cache."""
    if not is_hub_reference(reference):
        return resolve_model(reference)
    from huggingface_hub import snapshot_download

    model = parse_hub_reference(reference)
    try:
        folder = snapshot_download(
            model.name, revision=model.revision, allow_patterns=list(HUB_FILES)
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot fetch {reference}: {error}") from error
    return Path(folder)


def load_causal_lm(
    folder: Path,
    *,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> PreTrainedModel:
    """The model in evaluation mode. Reads safetensors alone and runs no code of the folder."""
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=_attention(folder),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load the model in {folder}: {error}") from error
    assert isinstance(model, PreTrainedModel)
    torch.nn.Module.to(model, device)
    torch.nn.Module.eval(model)
    return model


def context_length(folder: Path) -> int:
    """Longest sequence that a model takes, in tokens."""
    length = getattr(_text_config(folder), "max_position_embeddings", None)
    if length is None:
        raise ModelError(f"{folder / 'config.json'} has no max_position_embeddings: add it")
    return int(length)


def vocabulary_size(folder: Path) -> int:
    """Rows of a model's embedding, padding included."""
    return int(_text_config(folder).vocab_size)


def _attention(folder: Path) -> str | None:
    """transformers' own choice, torch's fused attention where a model can use it; but not where it
    caps the logits of its attention, as Gemma-2 does: the fused one ignores the cap without a word,
    and the engine heeds it."""
    cap = getattr(_text_config(folder), "attn_logit_softcapping", None)
    return None if cap is None else "eager"


def _text_config(folder: Path) -> PreTrainedConfig:
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read the configuration in {folder}: {error}") from error
    assert isinstance(config, PreTrainedConfig)
    return config.get_text_config()
