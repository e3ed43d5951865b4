"""A disk that fills up while a checkpoint is written.

Root mounts a disk too small for the second checkpoint. Others get the errors that such a disk
gives: safetensors' own with the words of the operating system, and a failing write under torch.
"""

import errno
import io
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pytest
import torch
from safetensors import SafetensorError
from transformers import modeling_utils

from rkd_online.errors import CheckpointError
from rkd_online.learning.manifest import read_manifest
from rkd_online.types import Progress
from tests.unit.learning.training import learner, training_batch, weights

Filling = Literal["weights", "optimizer"]
Fill = Callable[[], None]

# The policy has 314 kB of weights and twice that in AdamW's moments, which step 0 has not.
SIZES: dict[Filling, str] = {"weights": "500k", "optimizer": "800k"}


class FullFile(io.RawIOBase):
    """Takes nothing."""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def mounted(folder: Path, size: str) -> bool:
    """A disk of ``size`` at ``folder``, where this process may mount one."""
    if os.geteuid() != 0:
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def full_from_now(monkeypatch: pytest.MonkeyPatch, what: Filling) -> None:
    def no_weights(*arguments: object, **settings: object) -> None:
        raise SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        )

    save = torch.save

    def no_optimizer(state: dict[str, Any], file: BinaryIO) -> None:
        save(state, FullFile())  # type: ignore[arg-type]

    if what == "weights":
        monkeypatch.setattr(modeling_utils, "safe_save_file", no_weights)
    else:
        monkeypatch.setattr(torch, "save", no_optimizer)


@pytest.fixture(params=["weights", "optimizer"])
def disk(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, Fill]]:
    """A folder, and what fills its disk up to where weights or optimizer no longer fit."""
    real = mounted(tmp_path, SIZES[request.param])
    yield tmp_path, lambda: None if real else full_from_now(monkeypatch, request.param)
    if real:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_is_named_and_costs_only_the_new_checkpoint(
    policy: Path, disk: tuple[Path, Fill]
) -> None:
    folder, fill = disk
    trained = learner(policy)
    trained.save(folder / "step-000000", Progress(0, 0, ()))
    trained.update(training_batch(1))
    before = weights(trained)
    fill()
    with pytest.raises(
        CheckpointError,
        match=rf"the disk is full: checkpoint {folder}/step-000001 needs about 0.9 MB and "
        r"[0-9.]+ MB are free. Earlier checkpoints are whole; free some space",
    ):
        trained.save(folder / "step-000001", Progress(1, 2, ()))
    assert [path.name for path in folder.iterdir()] == ["step-000000"]
    assert read_manifest(folder / "step-000000")["step"] == 0
    assert learner(policy).restore(folder / "step-000000") == 0
    assert trained.version == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in trained.state_tensors())


def test_a_disk_that_fills_up_before_the_manifest_leaves_no_checkpoint(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="the disk is full: "):
        learner(policy).save(tmp_path / "step-000000", Progress(0, 0, ()))
    assert list(tmp_path.iterdir()) == []


def test_another_error_of_the_disk_keeps_its_words(policy: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(CheckpointError, match=r"could not write checkpoint .*Not a directory"):
        learner(policy).save(tmp_path / "checkpoints" / "step-000000", Progress(0, 0, ()))
