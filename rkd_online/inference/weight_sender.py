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


def init_info(backend: Literal["nccl", "ipc"], rendezvous: Rendezvous) -> TrainerInitInfo:
    """What vLLM wants to know to open the sender, this process being rank 0."""
    if backend == "ipc":
        return IPCTrainerInitInfo(rank=0)
    return NCCLTrainerInitInfo(
        master_address=rendezvous.address,
        master_port=rendezvous.port,
        world_size=1 + rendezvous.receivers,
        rank=0,
    )


def open_sender(
    backend: Literal["nccl", "ipc"],
    rendezvous: Rendezvous,
    model: torch.nn.Module,
    client: SyncClient,
) -> TrainerWeightTransferEngine[TrainerInitInfo]:
    """Connect to the engines behind ``client``; ``send_weights()`` then sends the model's
    parameters as they are."""
    return WeightTransferTrainerFactory.trainer_init(
        init_info(backend, rendezvous), client=client, source=ModuleSource(model)
    )
