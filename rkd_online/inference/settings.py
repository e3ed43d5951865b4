"""What an engine is started with. Imports no vLLM, so that a driver can hold it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rkd_online.spec.precision import Precision
from rkd_online.weights.transfer import Transfer


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine is started with. ``end_token_ids`` end a completion. ``kv_on_update`` is what
    sequences in flight do with their keys and values when weights change. ``threads`` are those of
    tensor operations on CPU. An engine that has not
    loaded its model within ``start_seconds`` is an error. ``candidates`` is how many most probable
    tokens it may be asked for at each position."""

    model: Path
    end_token_ids: tuple[int, ...]
    context_length: int
    max_sequences: int
    kv_cache_bytes: int
    device: Literal["cpu", "cuda"]
    precision: Precision
    tensor_parallel: int
    threads: int
    transfer: Transfer
    kv_on_update: Literal["recompute", "keep"]
    start_seconds: float
    candidates: int = 0
