"""The one way into a causal language model for whoever needs log-probs of completions.

Learner and teacher share it, so that a ratio of the two never compares different arithmetic.
"""

import logging
from collections.abc import Callable
from typing import Final

import torch
from transformers import PreTrainedModel

from rkd_online.errors import ModelError
from rkd_online.models.forward import packed_statistics
from rkd_online.models.layout import Sequences
from rkd_online.models.packed import PackedBatch, pack
from rkd_online.models.padded import PaddedBatch, pad, padded_statistics
from rkd_online.models.readout import (
    SAMPLED,
    CandidateStatistics,
    CompletionStatistics,
    Given,
    Readout,
    Sampled,
    Statistics,
    Top,
    TopStatistics,
)
from rkd_online.models.recompute import recompute_layers
from rkd_online.models.verify import packing_fault
from rkd_online.spec.precision import Precision

log = logging.getLogger(__name__)

DTYPES: Final[dict[Precision, torch.dtype]] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
}
KINDS: Final[dict[type[Readout], Callable[..., Statistics]]] = {
    Sampled: CompletionStatistics,
    Given: CandidateStatistics,
    Top: TopStatistics,
}


def check_precision(precision: Precision, device: str) -> None:
    """Refuse bfloat16 on a CPU that has no instructions for it: it would be slower than float32."""
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    if precision == "bfloat16" and device == "cpu" and not fast:
        raise ModelError(
            "this CPU has neither AVX512-BF16 nor AMX, without which bfloat16 is slower than "
            "float32: set precision.learner and precision.scorer to 'float32'"
        )


class CompletionModel(torch.nn.Module):
    """A Hugging Face model in evaluation mode, by batches of completions.

    Every use of its parameters is within ``forward``, that of the output layer too. ``packs`` says
    whether batches are packed, which is tried here; a model that fails computes padded rows, and
    the log says so. ``precision`` is that of matrix products; weights stay as they are.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        precision: Precision = "float32",
        activation_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        check_precision(precision, model.device.type)
        self.model = model
        fault = packing_fault(model)
        self.packs = fault is None
        if fault is not None:
            log.warning(
                "%s (%s) is computed in padded rows, which is slower and takes more memory: %s",
                type(model).__name__,
                model.name_or_path,
                fault,
            )
        self._precision = precision
        if activation_checkpointing:
            recompute_layers(model)

    def batch(self, sequences: Sequences) -> PackedBatch | PaddedBatch:
        """Tensors of B pairs of prompt and completion, on the model's device."""
        return (pack if self.packs else pad)(sequences, self.model.device)

    def forward(
        self,
        batch: PackedBatch | PaddedBatch,
        temperature: float,
        precision: Precision | None = None,
        readout: Readout = SAMPLED,
    ) -> Statistics:
        """Log-prob of every completion token, given all tokens before it, and the entropy there; or
        what else ``readout`` asks for, as its own kind of statistics.

        Logits are divided by ``temperature`` first. Both are float32 [B, T], T the longest
        completion, and exactly 0 right of a shorter one. ``precision`` is another than the model's.
        """
        dtype = DTYPES[precision or self._precision]
        if isinstance(batch, PaddedBatch):
            found = padded_statistics(self.model, batch, temperature, dtype, readout)
        else:
            found = packed_statistics(self.model, batch, temperature, dtype, readout)
        return KINDS[type(readout)](*found)
