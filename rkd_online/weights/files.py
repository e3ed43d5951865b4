"""Weight versions as whole safetensors files that generators of one machine can read."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rkd_online.errors import WeightSyncError
from rkd_online.files import whole
from rkd_online.locks import exclusive, taken
from rkd_online.types import Logprobs, PublishedWeights, WeightVersion

if TYPE_CHECKING:
    import torch

KEPT_VERSIONS = 2
"""The current version, and the one before it that a generator may still be reading."""
OWNER = "owner.lock"
"""Locked as long as the process that publishes in the folder lives."""


class WeightFiles:
    """A folder of published versions. A file appears under its name only when it is whole."""

    def __init__(self, run: Path, attempt: int) -> None:
        """``run`` is a folder of this run alone: what earlier attempts left there is deleted, and
        beside it what runs left that are gone."""
        shutil.rmtree(run, ignore_errors=True)
        sweep(run.parent)
        self._folder = run / str(attempt)
        self._folder.mkdir(parents=True)
        self._owner = (run / OWNER).open("w")
        taken(self._owner)

    def publish(
        self, version: WeightVersion, tensors: "Mapping[str, torch.Tensor]", probe: Logprobs
    ) -> PublishedWeights:
        """Write one version and drop those that nobody reads any more."""
        from safetensors.torch import save_file

        self._check_room(tensors)
        path = self._folder / f"policy-{version:06d}.safetensors"
        with whole(path) as partial:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial)
            digest = _fast_digest(partial)
        for old in sorted(self._folder.glob("policy-*.safetensors"))[:-KEPT_VERSIONS]:
            old.unlink()
        return PublishedWeights(version, str(path), digest, probe)

    def remove(self) -> None:
        """Delete all versions, and the run's folder unless a newer attempt uses it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if not any(path.is_dir() for path in self._folder.parent.glob("*")):
            shutil.rmtree(self._folder.parent, ignore_errors=True)
        self._owner.close()

    def _check_room(self, tensors: "Mapping[str, torch.Tensor]") -> None:
        needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise WeightSyncError(
                f"the policy's {needed >> 20:,} MiB do not fit into the {free >> 20:,} MiB free in "
                f"{self._folder}: give the machine or container more shared memory, "
                f"{KEPT_VERSIONS + 1} times the policy's size (docker run --shm-size, or a memory "
                "volume at /dev/shm)"
            )


def sweep(base: Path) -> None:
    """Delete the folders of runs whose process is gone: they lie in memory."""
    for lock in base.glob(f"*/{OWNER}"):
        with suppress(FileNotFoundError), exclusive(lock) as free:
            if free:
                shutil.rmtree(lock.parent, ignore_errors=True)


def _fast_digest(path: Path) -> str:
    """BLAKE3 of a file, hexadecimal: several times as fast as SHA-256, and the learner waits."""
    from blake3 import blake3

    digest: str = blake3().update_mmap(path).hexdigest()
    return digest


def check_digest(weights: PublishedWeights) -> None:
    """Refuse a file that is not the one that was published."""
    found = _fast_digest(Path(weights.location))
    if found != weights.digest:
        raise WeightSyncError(
            f"weight version {weights.version} at {weights.location} has BLAKE3 {found}, "
            f"published was {weights.digest}: the file was changed or cut"
        )
