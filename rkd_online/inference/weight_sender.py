"""The learner's end of vLLM's own NCCL and IPC weight transfer.

Written to vLLM's trainer interface. It needs GPUs, so no test runs a transfer; tests hold the
arguments and the client to vLLM's own types.
"""

from typing import Literal, TypeAlias

import torch
from vllm.distributed.weight_transfer.base import (
    ModuleSource,
    TrainerInitInfo,
    TrainerWeightTransferEngine,
    VLLMWeightSyncClient,
)
from vllm.distributed.weight_transfer.factory import WeightTransferTrainerFactory
from vllm.distributed.weight_transfer.ipc_engine import IPCTrainerInitInfo
from vllm.distributed.weight_transfer.nccl_engine import NCCLTrainerInitInfo

from rkd_online.weights.transfer import Rendezvous

SyncClient: TypeAlias = VLLMWeightSyncClient
"""What the learner's end calls on the engines."""


def init_info(
    backend: Literal["nccl", "ipc"], rendezvous: Rendezvous, rank: int
) -> TrainerInitInfo:
    """What vLLM wants to know to open the sender; of the learner's ranks 0 sends."""
    if backend == "ipc":
        return IPCTrainerInitInfo(rank=rank)
    return NCCLTrainerInitInfo(
        master_address=rendezvous.address,
        master_port=rendezvous.port,
        world_size=1 + rendezvous.receivers,
        rank=rank,
    )


def open_sender(
    backend: Literal["nccl", "ipc"],
    rendezvous: Rendezvous,
    model: torch.nn.Module,
    client: SyncClient,
    *,
    rank: int,
) -> TrainerWeightTransferEngine[TrainerInitInfo]:
    """Connect to the engines behind ``client``; ``send_weights()`` then sends the model's
    parameters as they are, gathered from all ranks of the learner."""
    return WeightTransferTrainerFactory.trainer_init(
        init_info(backend, rendezvous, rank), client=client, source=ModuleSource(model)
    )
