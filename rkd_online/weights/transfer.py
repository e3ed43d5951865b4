"""Which way weights take from the learner to the generators."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rkd_online.spec.resources import Resources

Transfer: TypeAlias = Literal["file", "nccl", "ipc"]

ON_DEVICE = "device:"
"""Starts the location of a version that was sent from device to device and lies in no file."""


def transfer_for(resources: Resources) -> Transfer:
    """A file on CPU; vLLM's own engines on GPUs: IPC where learner and generator share one GPU,
    NCCL where each has its own."""
    if resources.device == "cpu":
        return "file"
    shared = resources.learner.gpus < 1 and resources.generator.gpus < 1
    return "ipc" if shared else "nccl"


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """Where the NCCL group of one learner and ``receivers`` engine workers meets."""

    address: str
    port: int
    receivers: int
