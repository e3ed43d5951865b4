"""TRL's side of the step benchmark: its grid of settings, each in a process of its own."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from benchmarks.step_cases import LEARNING_RATE, THREADS, Case, StepTimes
from benchmarks.trl_environment import Kind, trl_python

Generation = Literal[
    "generate", "static cache", "continuous batching", "vllm", "vllm with unpacked weights"
]

SCRIPT: Final = Path(__file__).with_name("trl_step.py")
LONGEST_STEP_SECONDS: Final = 300
KV_CACHE_MIB: Final = 1024
ENVIRONMENT: Final = {
    "OMP_NUM_THREADS": str(THREADS),
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}


class TrlError(Exception):
    """A setting that gives no times, with the words for it."""


@dataclass(frozen=True, slots=True)
class TrlSetting:
    """One point of the grid; ``parts`` is the number of forward and backward passes in a step."""

    generation: Generation = "generate"
    parts: int = 1
    attention: Literal["sdpa", "eager"] = "sdpa"
    compiled: bool = False

    @property
    def environment(self) -> Kind:
        """Where it can run."""
        return "vllm" if self.generation.startswith("vllm") else "transformers"


def grid(case: Case) -> list[TrlSetting]:
    """All of the ways to generate and to update; of a thin grid those that may be fastest."""
    if case.thin_grid:
        return [
            TrlSetting(parts=4),
            TrlSetting(parts=16),
            TrlSetting("continuous batching", 4),
            TrlSetting("vllm", 4),
            TrlSetting("vllm with unpacked weights", 4),
        ]
    few, many = (4, 8) if case.bundled else (4, 16)
    return [
        TrlSetting(),
        TrlSetting(parts=few),
        TrlSetting(parts=many),
        TrlSetting(parts=few, attention="eager"),
        TrlSetting(parts=few, compiled=True),
        TrlSetting("static cache", few),
        TrlSetting("continuous batching", few),
        TrlSetting("vllm", few),
        TrlSetting("vllm with unpacked weights", few),
    ]


def words(setting: TrlSetting, case: Case) -> str:
    """The setting on one line."""
    rows = case.rollouts // setting.parts
    found = (
        f"{setting.generation}; per_device_train_batch_size {rows}, gradient_accumulation_steps "
        f"{setting.parts}, generation_batch_size {case.rollouts}; {setting.attention}"
    )
    return f"{found}; torch_compile" if setting.compiled else found


def time_trl(case: Case, setting: TrlSetting, warmup: int, steps: int) -> StepTimes:
    """Run ``steps`` steps after ``warmup`` more. Raises TrlError when the setting does not work or
    takes too long."""
    asked = _asked(case, setting, warmup, steps)
    limit = LONGEST_STEP_SECONDS * (warmup + steps)
    with tempfile.TemporaryDirectory(prefix="rkd-trl-") as output:
        python, script = str(trl_python(setting.environment)), str(SCRIPT)
        try:
            done = subprocess.run(
                [python, "-P", script, json.dumps(asked | {"output": output})],
                cwd=output,
                env=os.environ | ENVIRONMENT,
                capture_output=True,
                text=True,
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            raise TrlError(f"took longer than {limit} s") from None
    if done.returncode:
        raise TrlError(f"does not work: `{last_words(done.stderr)}`")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return StepTimes(tuple(found["seconds"]), tuple(found["tokens"]), case.rollouts)


def _asked(case: Case, setting: TrlSetting, warmup: int, steps: int) -> dict[str, Any]:
    return {
        "model": str(case.model_folder()),
        "prompts": str(case.prompts_in_order(warmup + steps)),
        "chat": case.bundled,
        "prompts_per_step": case.prompts_per_step,
        "group_size": case.group_size,
        "max_new_tokens": case.max_new_tokens,
        "context": case.context,
        "precision": case.precision,
        "warmup": warmup,
        "steps": steps,
        "learning_rate": LEARNING_RATE,
        "threads": THREADS,
        "kv_cache_mib": KV_CACHE_MIB,
        "generation": setting.generation,
        "micro_batch": case.rollouts // setting.parts,
        "attention": setting.attention,
        "compile": setting.compiled,
    }


def last_words(errors: str) -> str:
    """The exception that a process named last, or else its last line."""
    lines = [line.removeprefix("[rank0]: ").strip() for line in errors.splitlines()]
    lines = [line for line in lines if line]
    named = [line for line in lines if line.split(":")[0].endswith(("Error", "Exception"))]
    return (named or lines or ["it said nothing"])[-1]
