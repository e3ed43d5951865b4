"""Models, loaded as transformers does."""

from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
)

from rkd_online.models.folder import unreadable


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
        raise unreadable("load the model", folder, error) from error
    assert isinstance(model, PreTrainedModel)
    torch.nn.Module.to(model, device)
    torch.nn.Module.eval(model)
    return model


def _attention(folder: Path) -> str | None:
    """transformers' own choice, torch's fused attention where a model can use it; but not where it
    caps the logits of its attention, as Gemma-2 does: the fused one ignores the cap without a word,
    and the engine heeds it."""
    cap = getattr(text_config(folder), "attn_logit_softcapping", None)
    return None if cap is None else "eager"


def text_config(folder: Path) -> PreTrainedConfig:
    """The configuration of a folder's language model, with what its architecture adds."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise unreadable("read the configuration", folder, error) from error
    assert isinstance(config, PreTrainedConfig)
    return config.get_text_config()
