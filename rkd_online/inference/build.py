"""An engine of vLLM, built as its settings say."""

from typing import Final

from vllm.engine.arg_utils import EngineArgs
from vllm.v1.engine.llm_engine import LLMEngine

from rkd_online.inference.settings import EngineSettings
from rkd_online.inference.weight_receiver import FILE_BACKEND, register_file_backend
from rkd_online.types import WeightVersion

LOADED: Final[WeightVersion] = 0
"""The version of the weights that an engine starts with."""

STEP_TOKENS: Final = 8192
"""Prompt tokens that one engine step takes in, unless a single prompt is longer."""

CPU_BLOCK_TOKENS: Final = 32
"""Siblings share what their prompt has in whole blocks of the key-value cache: the smallest block
that vLLM's attention on CPU takes. On GPUs it is vLLM's own choice."""

URGENT_SEQUENCES: Final = 4
"""Room for requests that go before all others."""


def build_engine(settings: EngineSettings) -> LLMEngine:
    """The engine with the weights of its model folder, version 0."""
    register_file_backend()
    engine = LLMEngine.from_engine_args(engine_args(settings), enable_multiprocessing=False)
    engine.set_weight_version(str(LOADED))
    return engine


def engine_args(settings: EngineSettings) -> EngineArgs:
    """What vLLM is told of an engine."""
    return EngineArgs(
        model=str(settings.model),
        trust_remote_code=False,
        # Left to itself vLLM takes pickles where it finds nothing else.
        load_format="safetensors",
        skip_tokenizer_init=True,
        generation_config="vllm",
        dtype=settings.precision,
        tensor_parallel_size=settings.tensor_parallel,
        # In a Ray actor vLLM would choose Ray, and refuse one bundle with several GPUs.
        distributed_executor_backend="mp" if settings.tensor_parallel > 1 else None,
        enforce_eager=settings.device == "cpu",
        max_model_len=settings.context_length,
        max_num_seqs=settings.max_sequences + URGENT_SEQUENCES,
        scheduling_policy="priority",
        # Else a batch is in flight at a swap, and its tokens would be marked with the new version.
        async_scheduling=False,
        block_size=CPU_BLOCK_TOKENS if settings.device == "cpu" else None,
        # A prompt in pieces makes vLLM rewind each seeded generator, which CPU generators cannot.
        enable_chunked_prefill=False,
        max_num_batched_tokens=max(STEP_TOKENS, settings.context_length),
        kv_cache_memory_bytes=settings.kv_cache_bytes,
        # Where candidates are asked for, the last token is forced, which processed ones would show.
        logprobs_mode="raw_logprobs" if settings.candidates else "processed_logprobs",
        max_logprobs=settings.candidates,
        weight_transfer_config={
            "backend": FILE_BACKEND if settings.transfer == "file" else settings.transfer
        },
        disable_log_stats=True,
        use_tqdm_on_load=False,
    )
