"""The ways by which the learner's weights leave it."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from rkd_online.learning.learner import PolicyLearner
from rkd_online.types import Logprobs, PublishedWeights
from rkd_online.weights.files import WeightFiles
from rkd_online.weights.transfer import ON_DEVICE, Rendezvous

if TYPE_CHECKING:
    from rkd_online.inference.weight_sender import SyncClient


class Outlet(Protocol):
    """Makes the learner's current version available, whole."""

    def publish(self, learner: PolicyLearner, probe: Logprobs) -> PublishedWeights:
        """Publish the current version, with the learner's log-probs of the probe."""
        ...

    def close(self) -> None:
        """Withdraw what was published."""
        ...


class FileOutlet:
    """One file per version, for generators on the same machine."""

    def __init__(self, run: Path, attempt: int) -> None:
        self._files = WeightFiles(run, attempt)

    def publish(self, learner: PolicyLearner, probe: Logprobs) -> PublishedWeights:
        """Write one file."""
        return self._files.publish(learner.version, dict(learner.state_tensors()), probe)

    def close(self) -> None:
        """Delete the files."""
        self._files.remove()


class Follower:
    """What a rank beside the first does: it gives its part of every tensor."""

    def publish(self, learner: PolicyLearner, probe: Logprobs) -> PublishedWeights:
        """Take part; nothing lies anywhere."""
        for _ in learner.state_tensors():
            pass
        return PublishedWeights(learner.version, location="", digest="", probe_logprobs=probe)

    def close(self) -> None:
        """Nothing was published."""


def file_outlet(learner: PolicyLearner, run: Path, attempt: int) -> Outlet:
    """Files of the first rank, to which the others give their parts."""
    return FileOutlet(run, attempt) if learner.ranks.first else Follower()


class DeviceOutlet:
    """From GPU to GPU, through vLLM's own engines."""

    def __init__(
        self,
        backend: Literal["nccl", "ipc"],
        rendezvous: Rendezvous,
        client: "SyncClient",
        learner: PolicyLearner,
    ) -> None:
        from rkd_online.inference.weight_sender import open_sender

        self._backend = backend
        self._sender = open_sender(
            backend, rendezvous, learner.model, client, rank=learner.ranks.index
        )

    def publish(self, learner: PolicyLearner, probe: Logprobs) -> PublishedWeights:
        """Send all parameters; the generators hold them when this returns."""
        self._sender.send_weights()
        location = f"{ON_DEVICE}{self._backend}"
        return PublishedWeights(learner.version, location, digest="", probe_logprobs=probe)

    def close(self) -> None:
        """Leave the group."""
        self._sender.shutdown()
