"""A model's files and its tokenizer's, read again only when a file of the folder has changed.

A control plane sees the same models job after job, and the tokenizer of a large one is megabytes of
JSON.
"""

from dataclasses import dataclass
from functools import lru_cache
from os import scandir
from pathlib import Path
from typing import Final, TypeAlias

from rkd_online.spec.model_files import ModelFiles, nothing_vanishes, read_model
from rkd_online.spec.tokenizer_files import TokenizerFiles, read_tokenizer

KEPT: Final = 8
"""Folders that are remembered; a large tokenizer takes tens of megabytes."""
State: TypeAlias = frozenset[tuple[str, int, int, int]]
"""Of a folder: name, number, size and time of change of each of its files."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """What a folder says. ``tokenizer`` is None where only transformers can read it."""

    model: ModelFiles
    tokenizer: TokenizerFiles | None


def read_model_folder(folder: Path) -> ModelFolder:
    """What the folder's files say now. Raises ModelError with what is missing or broken."""
    with nothing_vanishes(folder):
        return _read(folder, _state(folder))


@lru_cache(maxsize=KEPT)
def _read(folder: Path, state: State) -> ModelFolder:
    return ModelFolder(read_model(folder), read_tokenizer(folder))


def _state(folder: Path) -> State:
    """Empty where there is no such folder, which reading it tells. Links are followed: a hub's
    cache is made of them."""
    if not folder.is_dir():
        return frozenset()
    with scandir(folder) as entries:
        files = [(entry.name, entry.stat()) for entry in entries if entry.is_file()]
    return frozenset(
        (name, found.st_ino, found.st_size, found.st_mtime_ns) for name, found in files
    )
