"""A packed batch through a Hugging Face causal language model."""

from typing import assert_never

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.errors import ModelError
from rkd_online.models.attention import NAME, attending
from rkd_online.models.candidates import candidate_logprobs, top_logprobs
from rkd_online.models.head import token_logprobs
from rkd_online.models.logits import Head
from rkd_online.models.packed import PackedBatch
from rkd_online.models.readout import SAMPLED, Given, Readout, Sampled, Top


def packed_statistics(
    model: PreTrainedModel,
    batch: PackedBatch,
    temperature: float,
    dtype: torch.dtype,
    readout: Readout = SAMPLED,
) -> tuple[Tensor, ...]:
    """What is to be read of every completion token, logits divided by ``temperature``: for
    ``Sampled`` log-probs and entropy, two of nats [B, T]. Matrix products are in ``dtype``."""
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
    found = _read(readout, predicting, head, batch, temperature, dtype)
    return tuple(map(batch.by_row, found))


def _read(
    readout: Readout,
    hidden: Tensor,
    head: Head,
    batch: PackedBatch,
    temperature: float,
    dtype: torch.dtype,
) -> tuple[Tensor, ...]:
    """The same by completion tokens, [N, ...]."""
    match readout:
        case Given():
            ids = batch.by_token(readout.ids)
            return candidate_logprobs(hidden, head, batch.targets, ids, temperature, dtype=dtype)
        case Top(count=count, vocabulary=vocabulary):
            return top_logprobs(
                hidden, head, batch.targets, count, vocabulary, temperature, dtype=dtype
            )
        case Sampled():
            return token_logprobs(hidden, head, batch.targets, temperature, dtype=dtype)
        case _:
            assert_never(readout)


def output_head(model: PreTrainedModel) -> Head | None:
    """A linear output layer with what the configuration says of its logits; None for another."""
    layer = model.get_output_embeddings()
    if type(layer) is not torch.nn.Linear:
        return None
    config = model.config.get_text_config()
    scale = getattr(config, "logit_scale", 1.0) / getattr(config, "logits_scaling", 1.0)
    return Head(layer.weight, layer.bias, scale, getattr(config, "final_logit_softcapping", None))
