"""The GPU path, as far as it goes without one: arguments and client against vLLM's own types."""

from vllm.distributed.weight_transfer.base import VLLMWeightSyncClient
from vllm.distributed.weight_transfer.factory import (
    WeightTransferEngineFactory,
    WeightTransferTrainerFactory,
)
from vllm.distributed.weight_transfer.ipc_engine import IPCTrainerInitInfo
from vllm.distributed.weight_transfer.nccl_engine import NCCLTrainerInitInfo

from rkd_online.cluster.transfer import GeneratorsClient
from rkd_online.inference.weight_sender import init_info
from rkd_online.weights.transfer import Rendezvous

MEETING = Rendezvous("10.0.0.1", 29500, receivers=3)


def test_the_nccl_group_is_the_learner_and_every_receiver() -> None:
    info = init_info("nccl", MEETING, rank=0)
    assert isinstance(info, NCCLTrainerInitInfo)
    assert (info.master_address, info.master_port) == ("10.0.0.1", 29500)
    assert (info.world_size, info.rank, info.is_sender) == (4, 0, True)
    assert not init_info("nccl", MEETING, rank=1).is_sender


def test_ipc_needs_no_meeting() -> None:
    info = init_info("ipc", MEETING, rank=0)
    assert isinstance(info, IPCTrainerInitInfo)
    assert info.is_sender


def test_both_ends_of_both_backends_ship_with_vllm() -> None:
    for backend in ("nccl", "ipc"):
        assert backend in WeightTransferEngineFactory._registry
        assert backend in WeightTransferTrainerFactory._registry


def test_the_client_has_the_verbs_that_vllm_calls() -> None:
    assert isinstance(GeneratorsClient([], ranks_each=1), VLLMWeightSyncClient)
