"""Checkpoints: written whole beside their place, then marked by a manifest and renamed into it."""

import errno
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from transformers import GenerationConfig, PreTrainedModel

from rkd_online.errors import CheckpointError
from rkd_online.files import MANIFEST, file_digest
from rkd_online.learning.manifest import FORMAT, read_manifest
from rkd_online.types import Progress

STATE: Final = Path("state") / "optimizer.pt"
GENERATION_CONFIG: Final = "generation_config.json"
COPIED: Final = ("tokenizer*", "*.jinja", GENERATION_CONFIG, "special_tokens_map.json",
                 "vocab*", "merges.txt", "added_tokens.json")  # fmt: skip
"""What a Hugging Face folder needs beside weights and configuration, as the source has it."""
FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def write_checkpoint(
    folder: Path,
    model: PreTrainedModel,
    weights: dict[str, torch.Tensor],
    source: Path,
    state: Mapping[str, Any],
    progress: Progress,
) -> None:
    """Write the policy as a Hugging Face folder, the optimizer beside it and the manifest last.

    A reader sees a whole checkpoint or none. Raises CheckpointError when the disk is full; what was
    written of this one is then removed, and earlier ones are untouched.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        (partial / STATE.parent).mkdir(parents=True)
        _write_files(partial, model, weights, source, state)
        _write_manifest(partial, progress)
        os.replace(partial, folder)
        _flush(folder.parent)
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise _refused(folder, model, error) from error


def read_state(folder: Path) -> dict[str, Any]:
    """The learner's state in a checkpoint that is whole."""
    read_manifest(folder)
    state: dict[str, Any] = torch.load(folder / STATE, weights_only=True)
    return state


def _write_files(
    partial: Path,
    model: PreTrainedModel,
    weights: dict[str, torch.Tensor],
    source: Path,
    state: Mapping[str, Any],
) -> None:
    if (source / GENERATION_CONFIG).is_file():
        # It is copied as it is: transformers would refuse to write settings that real models have.
        model.generation_config = GenerationConfig()
    model.save_pretrained(partial, state_dict=weights)
    for pattern in COPIED:
        for path in source.glob(pattern):
            shutil.copyfile(path, partial / path.name)
    # Given a path instead of a file, torch would lose what the disk says when it is full.
    with (partial / STATE).open("wb") as file:
        torch.save(dict(state), file)


def _write_manifest(partial: Path, progress: Progress) -> None:
    files = sorted(path for path in partial.rglob("*") if path.is_file())
    for path in files:
        _flush(path)
    manifest = {
        "format": FORMAT,
        **asdict(progress),
        "files": {
            str(path.relative_to(partial)): {
                "bytes": path.stat().st_size,
                "sha256": file_digest(path),
            }
            for path in files
        },
    }
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    for path in (partial / MANIFEST, partial / STATE.parent, partial):
        _flush(path)


def _flush(path: Path) -> None:
    """A file or folder to the disk: a crash after the rename finds what the manifest promises."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _refused(folder: Path, model: PreTrainedModel, error: Exception) -> CheckpointError:
    if not _says_full(error):
        return CheckpointError(f"could not write checkpoint {folder}: {error}")
    # Weights once and AdamW's two moments, all float32.
    needed = 3 * 4 * model.num_parameters()
    free = shutil.disk_usage(folder.parent).free
    return CheckpointError(
        f"the disk is full: checkpoint {folder} needs about {needed / 1e6:.1f} MB and "
        f"{free / 1e6:.1f} MB are free. Earlier checkpoints are whole; free some space or lower "
        "checkpoint.keep, then run the job again"
    )


def _says_full(error: BaseException | None) -> bool:
    """torch raises its own error while it handles the disk's; safetensors keeps only the words."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if isinstance(error, SafetensorError):
            return any(f"(os error {number})" in str(error) for number in FULL)
        error = error.__cause__ or error.__context__
    return False
