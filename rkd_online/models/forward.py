"""A packed batch through a Hugging Face causal language model."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.errors import ModelError
from rkd_online.models.attention import NAME, attending
from rkd_online.models.head import Head, token_logprobs
from rkd_online.models.packed import PackedBatch


def packed_statistics(
    model: PreTrainedModel, batch: PackedBatch, temperature: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Log-probs and entropy of every completion token, logits divided by ``temperature``: two of
    nats [B, T]. Matrix products are taken in ``dtype``."""
    with (
        attending(batch) as at,
        torch.autocast(batch.ids.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16),
    ):
        hidden = model.base_model(
            input_ids=batch.ids,
            position_ids=batch.places.positions.unsqueeze(0),
            use_cache=False,
        ).last_hidden_state
    if not at.windows:
        raise ModelError(
            f"{type(model).__name__} was to be given packs, but its attention is "
            f"{model.config._attn_implementation!r}, not {NAME!r}: leave it as it was loaded"
        )
    head = output_head(model)
    assert head is not None, "a model without a linear output layer is not given packs"
    predicting = hidden[0].index_select(0, batch.predictors)
    logprobs, entropy = token_logprobs(predicting, head, batch.targets, temperature, dtype=dtype)
    return batch.by_row(logprobs), batch.by_row(entropy)


def output_head(model: PreTrainedModel) -> Head | None:
    """A linear output layer with what the configuration says of its logits; None for another."""
    layer = model.get_output_embeddings()
    if type(layer) is not torch.nn.Linear:
        return None
    config = model.config.get_text_config()
    scale = getattr(config, "logit_scale", 1.0) / getattr(config, "logits_scaling", 1.0)
    return Head(layer.weight, layer.bias, scale, getattr(config, "final_logit_softcapping", None))
