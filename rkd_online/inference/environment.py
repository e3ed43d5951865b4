"""The environment an engine process must have before torch and vLLM are first imported."""

import os

COMMON = {
    # The engine steps in this process: no child to orphan, and it starts twice as fast.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    # Bars are for terminals; these processes write logs. transformers heeds it as well.
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Some reasoning-gym datasets iterate over sets: all processes must make the same problems.
    "PYTHONHASHSEED": "0",
}

CPU_ONLY = {
    # More OpenMP threads than free cores make every small matrix product wait for a busy core.
    "OMP_NUM_THREADS": "1",
    # A thread that spins while it waits for its siblings takes the core that they wait for.
    "OMP_WAIT_POLICY": "passive",
    # Log-prob ranks would otherwise be compiled at the first request, which takes 12 s and more.
    "TORCHDYNAMO_DISABLE": "1",
}


def engine_environment(device: str) -> dict[str, str]:
    """Variables of a process that runs models on ``device``."""
    return COMMON | (CPU_ONLY if device == "cpu" else {})


def prepare_engine_process(device: str) -> None:
    """Set what is not set already; call before torch or vLLM is imported."""
    for name, value in engine_environment(device).items():
        os.environ.setdefault(name, value)
