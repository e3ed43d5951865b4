"""What a model folder says of itself, read without any machine-learning package."""

import json
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rkd_online.errors import ModelError
from rkd_online.spec.file_formats import (
    DecoderConfig,
    ModelConfig,
    ShardIndex,
    TensorEntry,
    parse,
)
from rkd_online.spec.precision import Precision

SINGLE_FILE: Final = "model.safetensors"
SHARD_INDEX: Final = "model.safetensors.index.json"
PICKLE_PATTERNS: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
CODE_FILES: Final = ("config.json", "tokenizer_config.json")
"""Files in which a folder can name classes that it brings along."""
BYTES: Final[dict[Precision, int]] = {"float32": 4, "bfloat16": 2}
WEIGHTS: Final = "a safetensors file"
LONGEST_HEADER: Final = 100 << 20
"""The safetensors format's own limit, in bytes."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model folder whose configuration and weights are there."""

    folder: Path
    architecture: str
    decoder: DecoderConfig
    parameters: int

    @property
    def vocabulary_size(self) -> int:
        """Rows of the embedding, padding included."""
        return self.decoder.vocab_size

    @property
    def context_length(self) -> int | None:
        """Longest sequence in tokens, None where the configuration has no such number."""
        return self.decoder.max_position_embeddings or self.decoder.n_positions

    def kv_bytes_per_token(self, element_bytes: int, gpus: int) -> int | None:
        """Key-value cache of one token on each of the GPUs that share the heads, of which each has
        at least one; None where the configuration names its shape otherwise."""
        decoder = self.decoder
        layers, heads = decoder.num_hidden_layers, decoder.num_attention_heads
        if layers is None or heads is None:
            return None
        size = decoder.head_dim or (decoder.hidden_size or 0) // heads
        shared = max(1, (decoder.num_key_value_heads or heads) // gpus)
        return 2 * layers * shared * size * element_bytes or None


def read_model(folder: Path) -> ModelFiles:
    """Read a folder in Hugging Face format. Raises ModelError with what is missing or broken."""
    if not folder.is_dir():
        raise ModelError(f"there is no folder {folder}: give a folder in Hugging Face format")
    with nothing_vanishes(folder):
        return _read(folder)


def _read(folder: Path) -> ModelFiles:
    file, what = folder / "config.json", "the configuration of a language model"
    content = read_json(file)
    config = parse(ModelConfig, content, file, what)
    if config.speculators_config is not None:
        raise ModelError(
            f"{file} has speculators_config, for which vLLM would load the model that it names in "
            "place of this one: name that model instead"
        )
    return ModelFiles(
        folder=folder,
        architecture=", ".join(config.architectures or ["unnamed architecture"]),
        decoder=parse(DecoderConfig, config.text_config or content, file, what),
        parameters=sum(_parameters(file) for file in weight_files(folder)),
    )


@contextmanager
def nothing_vanishes(folder: Path) -> Iterator[None]:
    """A file of ``folder`` that is gone since it was listed is a ModelError with its name."""
    try:
        yield
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder} changes while it is read, and {Path(error.filename).name} is gone: ask "
            "again when its files stay"
        ) from error


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
        file = folder / SHARD_INDEX
        index = parse(ShardIndex, read_json(file), file, "an index of weight files")
        shards = sorted(set(index.weight_map.values()))
        foreign = [shard for shard in shards if not _is_shard(shard)]
        if foreign:
            raise ModelError(
                f"{file} names {', '.join(map(repr, foreign))}: weights are .safetensors files "
                "beside it, named without a folder"
            )
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


def _is_shard(name: str) -> bool:
    """Libraries join the name to the folder, so that one with a folder in it leads anywhere."""
    return Path(name).name == name and Path(name).suffix == ".safetensors"


def foreign_code(folder: Path) -> list[str]:
    """The files of a model folder by which it asks for code of its own (``auto_map``)."""
    files = [folder / name for name in CODE_FILES if (folder / name).is_file()]
    return [file.name for file in files if read_json(file).get("auto_map") is not None]


def _parameters(file: Path) -> int:
    """Parameters in one safetensors file, from its header; a file that is cut short is an error."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        prefix = stream.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        header = stream.read(length) if length <= min(size, LONGEST_HEADER) else b""
    try:
        content = parse(dict[str, Any], json.loads(header), file, WEIGHTS)
    except ValueError as error:
        raise ModelError(f"{file} has no safetensors header: fetch it again") from error
    content.pop("__metadata__", None)
    tensors = parse(dict[str, TensorEntry], content, file, WEIGHTS).values()
    announced = 8 + length + max((tensor.data_offsets[1] for tensor in tensors), default=0)
    if announced != size:
        raise ModelError(
            f"{file} has {size} bytes where its header says {announced}: fetch it again"
        )
    return sum(math.prod(tensor.shape) for tensor in tensors)
