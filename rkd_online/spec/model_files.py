"""What a model folder says of itself, read without any machine-learning package."""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rkd_online.errors import ModelError

SINGLE_FILE: Final = "model.safetensors"
SHARD_INDEX: Final = "model.safetensors.index.json"
PICKLE_PATTERNS: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt")
FLOAT32_BYTES: Final = 4
LONGEST_HEADER: Final = 100 << 20
"""The safetensors format's own limit, in bytes."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model folder whose configuration and weights are there. ``config`` is the decoder's."""

    folder: Path
    architecture: str
    config: Mapping[str, Any]
    parameters: int

    @property
    def vocabulary_size(self) -> int:
        """Rows of the embedding, padding included."""
        return int(self.config["vocab_size"])

    @property
    def context_length(self) -> int | None:
        """Longest sequence in tokens, None where the configuration has no such number."""
        lengths = (self.config.get(name) for name in ("max_position_embeddings", "n_positions"))
        return next((int(length) for length in lengths if length is not None), None)

    def kv_bytes_per_token(self, element_bytes: int) -> int | None:
        """Key-value cache of one token, None where the configuration names its shape otherwise."""
        config = self.config
        if "num_hidden_layers" not in config or "num_attention_heads" not in config:
            return None
        heads = config.get("num_key_value_heads") or config["num_attention_heads"]
        size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        return int(2 * config["num_hidden_layers"] * heads * size * element_bytes)


def read_model(folder: Path) -> ModelFiles:
    """Read a folder in Hugging Face format. Raises ModelError with what is missing or broken."""
    if not folder.is_dir():
        raise ModelError(f"there is no folder {folder}: give a folder in Hugging Face format")
    config = read_json(folder / "config.json")
    decoder = config.get("text_config", config)
    if "vocab_size" not in decoder:
        raise ModelError(
            f"{folder / 'config.json'} has no vocab_size: it is not a language model's"
        )
    return ModelFiles(
        folder=folder,
        architecture=", ".join(config.get("architectures") or ["unnamed architecture"]),
        config=decoder,
        parameters=sum(_parameters(file) for file in weight_files(folder)),
    )


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object. Raises ModelError where it is missing or broken."""
    if not file.is_file():
        raise ModelError(f"{file.parent} has no {file.name}")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file} holds a {type(content).__name__} instead of an object")
    return content


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model: one, or all that its index names."""
    if (folder / SHARD_INDEX).is_file():
        shards = sorted(set(read_json(folder / SHARD_INDEX)["weight_map"].values()))
        missing = [shard for shard in shards if not (folder / shard).is_file()]
        if missing:
            raise ModelError(f"{folder} lacks {', '.join(missing)}, named in its {SHARD_INDEX}")
        return [folder / shard for shard in shards]
    if (folder / SINGLE_FILE).is_file():
        return [folder / SINGLE_FILE]
    pickles = sorted(file.name for pattern in PICKLE_PATTERNS for file in folder.glob(pattern))
    if pickles:
        raise ModelError(
            f"{folder} has only pickle weights ({', '.join(pickles)}), which can run any code when "
            "they are loaded: convert them to safetensors"
        )
    raise ModelError(f"{folder} has no weights: neither {SINGLE_FILE} nor {SHARD_INDEX}")


def _parameters(file: Path) -> int:
    """Parameters in one safetensors file, from its header; a file that is cut short is an error."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        prefix = stream.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        header = stream.read(length) if length <= min(size, LONGEST_HEADER) else b""
    try:
        tensors = json.loads(header)
    except ValueError as error:
        raise ModelError(f"{file} has no safetensors header: fetch it again") from error
    tensors.pop("__metadata__", None)
    announced = (
        8 + length + max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
    )
    if announced != size:
        raise ModelError(
            f"{file} has {size} bytes where its header says {announced}: fetch it again"
        )
    return sum(math.prod(tensor["shape"]) for tensor in tensors.values())
