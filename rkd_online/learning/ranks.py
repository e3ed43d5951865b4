"""The processes that share the learner's policy, by FSDP2 over torch.distributed.

Every rank makes the same calls in the same order. A rank that has fewer pieces of work than another
repeats one of them without effect: each forward and backward pass is one of all ranks.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers.modeling_layers import GradientCheckpointingLayer

from rkd_online.models.completion_model import CompletionModel
from rkd_online.types import LearnerRank

T = TypeVar("T")


class Ranks:
    """This process among those of one learner. Alone it has nothing to agree on."""

    def __init__(self, place: LearnerRank, *, device: str, timeout_seconds: float) -> None:
        """Join the others; each waits for all, and for every answer, ``timeout_seconds``."""
        self.count = place.count
        self.index = place.index
        self._device = device
        if self.count > 1:
            dist.init_process_group(
                # Objects and metrics go by gloo, gradients and weights by what the device has.
                "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl",
                init_method=f"tcp://{place.meeting_point}",
                rank=self.index,
                world_size=self.count,
                timeout=timedelta(seconds=timeout_seconds),
            )

    @property
    def first(self) -> bool:
        """Whether this one writes what only one may write."""
        return self.index == 0

    def shard(self, model: CompletionModel) -> None:
        """Keep this rank's part of every parameter alone; layers are gathered as they are used."""
        if self.count > 1:
            mesh = init_device_mesh(self._device, (self.count,))
            for layer in model.modules():
                if isinstance(layer, GradientCheckpointingLayer):
                    fully_shard(layer, mesh=mesh)
            fully_shard(model, mesh=mesh)

    def share(self, pieces: Sequence[T]) -> Iterator[tuple[T, bool]]:
        """This rank's pieces, as many as every other rank has. False marks one without effect."""
        rounds = -(-len(pieces) // self.count)
        for place in range(self.index, rounds * self.count, self.count):
            yield (pieces[place], True) if place < len(pieces) else (pieces[0], False)

    def merged(self, mine: T) -> list[T]:
        """What every rank found, in their order."""
        if self.count == 1:
            return [mine]
        found: list[T | None] = [None] * self.count
        dist.all_gather_object(found, mine)
        return [one for one in found if one is not None]

    def settle(self, model: CompletionModel) -> None:
        """After a forward pass that no backward pass follows: let go of what was gathered."""
        if isinstance(model, FSDPModule):
            model.reshard()

    def leave(self) -> None:
        """Leave the others."""
        if self.count > 1:
            dist.destroy_process_group()


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that ranks may share; every rank calls this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def as_shared(tensor: Tensor, like: Tensor) -> Tensor:
    """The part of a whole tensor that this rank has of ``like``."""
    if not isinstance(like, DTensor):
        return tensor
    # Every rank has the whole: nothing is sent.
    return distribute_tensor(
        tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None
    )
