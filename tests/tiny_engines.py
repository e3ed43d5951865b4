"""Settings of an engine for the models of ``tests.tiny_models``."""

from pathlib import Path

from rkd_online.inference.settings import EngineSettings
from tests.tiny_models import CONTEXT, END_TOKEN_IDS


def tiny_engine_settings(model: Path, *, threads: int, candidates: int = 0) -> EngineSettings:
    """float32 on CPU, room for the whole context, weights by file."""
    return EngineSettings(
        model=model,
        end_token_ids=END_TOKEN_IDS,
        context_length=CONTEXT,
        max_sequences=64,
        kv_cache_bytes=32 << 20,
        device="cpu",
        precision="float32",
        tensor_parallel=1,
        threads=threads,
        transfer="file",
        kv_on_update="recompute",
        start_seconds=60.0,
        candidates=candidates,
    )
