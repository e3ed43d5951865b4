"""Weight versions as whole safetensors files that generators of one machine can read."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rkd_online.errors import WeightSyncError
from rkd_online.types import Logprobs, PublishedWeights, WeightVersion

if TYPE_CHECKING:
    import torch

KEPT_VERSIONS = 2
"""The current version, for a generator that starts again, and the one that may still be read."""


class WeightFiles:
    """A folder of published versions. A file appears under its name only when it is whole."""

    def __init__(self, run: Path, attempt: int) -> None:
        """``run`` is a folder of this run alone: what earlier attempts left there is deleted."""
        shutil.rmtree(run, ignore_errors=True)
        self._folder = run / str(attempt)
        self._folder.mkdir(parents=True)

    def publish(
        self, version: WeightVersion, tensors: "Mapping[str, torch.Tensor]", probe: Logprobs
    ) -> PublishedWeights:
        """Write one version and drop those that nobody reads any more."""
        from safetensors.torch import save_file

        path = self._folder / f"policy-{version:06d}.safetensors"
        partial = path.with_suffix(".partial")
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial)
        digest = file_digest(partial)
        os.replace(partial, path)
        for old in sorted(self._folder.glob("policy-*.safetensors"))[:-KEPT_VERSIONS]:
            old.unlink()
        return PublishedWeights(version, str(path), digest, probe)

    def remove(self) -> None:
        """Delete all versions, and the run's folder unless a newer attempt uses it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):
            self._folder.parent.rmdir()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digest(weights: PublishedWeights) -> None:
    """Refuse a file that is not the one that was published."""
    found = file_digest(Path(weights.location))
    if found != weights.digest:
        raise WeightSyncError(
            f"weight version {weights.version} at {weights.location} has SHA-256 {found}, "
            f"published was {weights.digest}: the file was changed or cut"
        )
