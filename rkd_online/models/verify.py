"""Whether a model computes in a pack what it computes of each sequence alone.

Models that mix tokens otherwise than by attention, or whose attention does what ours does not know
of, would be wrong without a word. So each model is tried when it is loaded.
"""

import random
from typing import Final

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.models import attention
from rkd_online.models.attention import attending
from rkd_online.models.forward import output_head, packed_statistics
from rkd_online.models.layout import Sequences
from rkd_online.models.packed import pack
from rkd_online.types import TokenIds, token_ids

TOLERANCE: Final = 1e-4
"""Nats, float32 against float32."""
GROUPS: Final = ((5, (9, 4, 1)), (1, (3, 6)), (8, (2,)))
"""Tokens of each prompt and of its completions."""
KINDS: Final = frozenset({"full_attention", "sliding_attention"})
"""Layers of which the trial shows all: others have limits that it is too short to reach."""


def packing_fault(model: PreTrainedModel) -> str | None:
    """Why a float32 model in evaluation mode must not be given packs; None where it may.

    Its attention is then ``attention.NAME`` for good, and else what it was.
    """
    fault = _unknown(model)
    if fault is not None:
        return fault
    before = model.config._attn_implementation
    sequences = _trial(model.config.get_text_config().vocab_size)
    with torch.no_grad():
        expected = torch.cat([_alone(model, *pair) for pair in sequences])
        model.set_attn_implementation(attention.NAME)
        fault = _difference(model, sequences, expected)
    if fault is not None:
        model.set_attn_implementation(before)
    return fault


def _unknown(model: PreTrainedModel) -> str | None:
    if not model._supports_attention_backend:
        return "its class takes no other attention than its own"
    if output_head(model) is None:
        return "its output layer is not linear"
    other = set(getattr(model.config.get_text_config(), "layer_types", None) or KINDS) - KINDS
    return f"it has layers of the kinds {sorted(other)}" if other else None


def _difference(model: PreTrainedModel, sequences: Sequences, expected: Tensor) -> str | None:
    batch = pack(sequences, model.device)
    with attending(batch) as at:
        found, _ = packed_statistics(model, batch, 1.0, torch.float32)
    gap = float((found[batch.mask] - expected).abs().max())
    # Not below the tolerance, rather than above: a gap may be not a number.
    if not gap <= TOLERANCE:
        return f"log-probs of a pack differ by {gap:.2g} nats from those of its sequences alone"
    asked = _windows(model)
    if at.windows != asked:
        return f"its attention was called with the windows {at.windows}, the settings say {asked}"
    return None


def _windows(model: PreTrainedModel) -> list[int | None]:
    """The window of each layer, from the configuration."""
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * config.num_hidden_layers
    return [window if kind == "sliding_attention" else None for kind in kinds]


def _trial(vocabulary: int) -> Sequences:
    """Random tokens, always the same."""
    draw = random.Random(0)

    def tokens(count: int) -> TokenIds:
        return token_ids(draw.choices(range(vocabulary), k=count))

    prompts = [(tokens(length), completions) for length, completions in GROUPS]
    return [(prompt, tokens(length)) for prompt, lengths in prompts for length in lengths]


def _alone(model: PreTrainedModel, prompt: TokenIds, completion: TokenIds) -> Tensor:
    """Log-probs [T] of a completion by the model's own forward."""
    ids = torch.tensor([*prompt, *completion], device=model.device)
    logits = model(input_ids=ids.unsqueeze(0), use_cache=False).logits[0, len(prompt) - 1 : -1]
    chosen = ids[len(prompt) :].unsqueeze(-1)
    return torch.log_softmax(logits.float(), -1).gather(-1, chosen).squeeze(-1)
