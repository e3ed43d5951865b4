"""Our side of the step benchmark: jobs on a local control plane, timed by their own metrics."""

import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from unittest.mock import patch

from rich.console import Console

from benchmarks.models import prompt_files
from benchmarks.step_cases import BUNDLED, LEARNING_RATE, SEED, THREADS, Case, JobTimes
from rkd_online.cli.demo import control_plane
from rkd_online.cli.watching import follow
from rkd_online.client import Client
from rkd_online.metrics.sinks import read_reports
from rkd_online.run.records import RunFolder
from rkd_online.types import StepReport

PORT, DASHBOARD_PORT = 8433, 8278
KV_CACHE_MIB: Final = 1024


@dataclass(frozen=True, slots=True)
class OurSetting:
    """One point of the grid. A ``max_staleness`` of 0 is synchronous, more is pipelined."""

    max_staleness: int
    generator_threads: int
    learner_threads: int
    micro_batch_tokens: int
    kv_on_update: Literal["recompute", "keep"] = "recompute"

    @property
    def words(self) -> str:
        """The setting on one line."""
        return (
            f"max_staleness {self.max_staleness}; generator threads {self.generator_threads}, "
            f"learner threads {self.learner_threads}, "
            f"micro_batch_tokens {self.micro_batch_tokens:,}, kv_on_update {self.kv_on_update}"
        )


def synchronous_grid(case: Case) -> list[OurSetting]:
    """Generator and learner take turns, so that each can have all threads."""
    if case.thin_grid:
        return [OurSetting(0, THREADS, THREADS, budget) for budget in (16_384, 2_048)]
    return [
        OurSetting(0, 1, THREADS, 16_384),
        OurSetting(0, 1, THREADS, 2_048),
        OurSetting(0, THREADS, THREADS, 2_048),
    ]


def pipelined_grid(case: Case) -> list[OurSetting]:
    """Generator and learner share the threads, or each has all and the system shares them out."""
    if case.thin_grid:
        return [
            OurSetting(1, 1, THREADS, 2_048),
            OurSetting(1, 1, THREADS, 2_048, "keep"),
            OurSetting(1, THREADS, THREADS, 2_048, "keep"),
        ]
    return [
        OurSetting(1, 1, 1, 16_384),
        OurSetting(1, 1, 1, 2_048),
        OurSetting(1, 1, 1, 2_048, "keep"),
        OurSetting(1, 1, THREADS, 2_048, "keep"),
        OurSetting(1, THREADS, THREADS, 2_048, "keep"),
    ]


@contextmanager
def our_service() -> Iterator[None]:
    """A control plane without keys, and its Ray, ended afterwards: idle, it would still take some
    time from what is measured beside it."""
    with (
        tempfile.TemporaryDirectory(prefix="rkd-benchmark-") as data,
        patch.dict(os.environ, RKD_AUTH="off"),
        control_plane(Console(), PORT, Path(data), DASHBOARD_PORT),
    ):
        yield


def time_ours(case: Case, setting: OurSetting, warmup: int, steps: int) -> JobTimes:
    """Run a job with ``steps`` timed steps on ``our_service``."""
    timed, count = window(setting, warmup, steps)
    client = Client(f"http://127.0.0.1:{PORT}")
    job = client.submit(job_spec(case, setting, count)).id
    follow(client, job)
    attempts = RunFolder(Path(client.get(job).links.data)).attempts()
    if len(attempts) > 1:
        raise ValueError(f"{case.name}: the job took {len(attempts)} attempts, so it tells no time")
    return step_times(read_reports([attempts[0].metrics])[timed], case)


def window(setting: OurSetting, warmup: int, steps: int) -> tuple[slice, int]:
    """Which steps of a job are timed, and of how many. Left out are the warm-up and of a pipelined
    job its first steps, which wait for rollouts that no step before them hid, and its last ones,
    beside which nothing is sampled any more."""
    warmup = max(warmup, setting.max_staleness)
    drained = setting.max_staleness + 1 if setting.max_staleness else 0
    return slice(warmup, warmup + steps), warmup + steps + drained


def step_times(reports: list[StepReport], case: Case) -> JobTimes:
    """The times of these steps."""
    seconds = tuple(report.timings["step"] for report in reports)
    tokens = tuple(
        round(report.metrics["throughput/tokens_per_second"] * time)
        for report, time in zip(reports, seconds, strict=True)
    )
    return JobTimes(seconds, tokens, case.rollouts, _parts(reports))


def _parts(reports: list[StepReport]) -> dict[str, float]:
    """What each stage of the loop took, who was idle beside it, and what it took in all."""
    stages = {f"{name}, s": [one.timings[name] for one in reports] for name in reports[0].timings}
    roles = {
        name: [one.metrics[name] for one in reports]
        for name in sorted(reports[0].metrics)
        if name.startswith("idle/") or name == "loop/core_seconds"
    }
    return {name: statistics.median(values) for name, values in (stages | roles).items()}


def job_spec(case: Case, setting: OurSetting, steps: int) -> dict[str, Any]:
    """A GRPO job, with as little as can be beside its steps."""
    return {
        "version": 1,
        "name": f"step-{case.name.lower()}",
        "policy": {"model": BUNDLED if case.bundled else str(case.model_folder())},
        "algorithm": {"type": "grpo"},
        **_prompts(case),
        "rollout": {
            "prompts_per_step": case.prompts_per_step,
            "group_size": case.group_size,
            "max_prompt_tokens": case.context - case.max_new_tokens,
            "max_new_tokens": case.max_new_tokens,
            "max_staleness": setting.max_staleness,
            "kv_on_update": setting.kv_on_update,
        },
        "optimizer": {
            "learning_rate": LEARNING_RATE,
            "micro_batch_tokens": setting.micro_batch_tokens,
        },
        "steps": steps,
        "evaluation": {"prompts": 1, "samples": 1},
        "checkpoint": {"every": steps},
        "precision": {"generator": case.precision, "learner": case.precision},
        "resources": {
            "generator": {
                "kv_cache_mib": KV_CACHE_MIB,
                "max_sequences": case.rollouts,
                "threads": setting.generator_threads,
            },
            "learner": {"threads": setting.learner_threads},
        },
        "seed": SEED,
    }


def _prompts(case: Case) -> dict[str, Any]:
    """The bundled student's own task, or files whose answer half of all completions end in."""
    if case.bundled:
        return {"task": {"type": "chain_sum"}}
    files = {split: str(path) for split, path in prompt_files(case.prompt_tokens).items()}
    return {
        "task": {"type": "file", "match": "numeric", **files},
        "prompt": {"type": "plain"},
        "rewards": [{"type": "verifier", "extractor": "last_number"}],
    }
