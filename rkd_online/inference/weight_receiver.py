"""Weights into a CPU engine, through vLLM's own weight-transfer interface.

vLLM ships transfer engines for GPUs alone. This one reads one safetensors file, which the learner
wrote whole (on one machine: in shared memory), and loads it layer by layer.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)
from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory
from vllm.model_executor.layers.vocab_parallel_embedding import (
    ParallelLMHead,
    VocabParallelEmbedding,
)
from vllm.model_executor.model_loader.reload import (
    finalize_layerwise_reload,
    initialize_layerwise_reload,
)

FILE_BACKEND = "rkd_file"


@dataclass
class FileInitInfo(WeightTransferInitInfo):
    """Nothing to agree on: a file needs no rendezvous."""


@dataclass
class FileUpdateInfo(WeightTransferUpdateInfo):
    """The safetensors file with the new weights, named as in a Hugging Face checkpoint."""

    path: str


class FileWeightReceiver(WeightTransferEngine[FileInitInfo, FileUpdateInfo]):
    """Loads a published file into the engine's model."""

    init_info_cls = FileInitInfo
    update_info_cls = FileUpdateInfo

    def init_transfer_engine(self, init_info: FileInitInfo) -> None:
        """A file needs no connection."""

    def start_weight_update(self) -> None:
        """Put the model's layers into their checkpoint form, in which a tied head is untied."""
        self._tied = tied_heads(self.model)
        initialize_layerwise_reload(self.model)

    def update_weights(self, update_info: dict[str, str]) -> None:
        """Receive a file (the base class would synchronize an accelerator that is not there)."""
        self.receive_weights(self.parse_update_info(update_info))

    def receive_weights(self, update_info: FileUpdateInfo) -> None:
        """Load every tensor of the file."""
        with safe_open(Path(update_info.path), framework="pt", device="cpu") as file:
            self.model.load_weights((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118

    def finish_weight_update(self) -> None:
        """Pack the layers for the CPU kernels again, the tied head included."""
        finalize_layerwise_reload(self.model, self.model_config)
        for head, embedding in self._tied:
            repack_tied_head(head, embedding)

    def shutdown(self) -> None:
        """Nothing is held."""


def tied_heads(
    model: torch.nn.Module,
) -> list[tuple[ParallelLMHead, VocabParallelEmbedding]]:
    """Each head that has its weight from an embedding, wherever a model keeps the two; none in a
    model without a head of its own, which computes its logits with the embedding itself."""
    layers = [layer for layer in model.modules() if isinstance(layer, VocabParallelEmbedding)]
    return [
        (head, embedding)
        for head in layers
        for embedding in layers
        if isinstance(head, ParallelLMHead)
        and embedding is not head
        and embedding.weight is head.weight
    ]


def repack_tied_head(head: ParallelLMHead, embedding: VocabParallelEmbedding) -> None:
    """Give a tied head the new embedding.

    On CPU the head keeps a packed copy of its own, which a reload leaves at the old weights: the
    log-probs are then silently wrong.
    """
    head.weight = embedding.weight
    head.quant_method.process_weights_after_loading(head)


def register_file_backend() -> None:
    """Make the backend known to vLLM in this process."""
    if FILE_BACKEND not in WeightTransferEngineFactory._registry:
        WeightTransferEngineFactory.register_engine(FILE_BACKEND, FileWeightReceiver)
