"""A job's folder as a run of the bundled student leaves it behind, without the run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedModel

from rkd_online.evaluation.record import Evaluation
from rkd_online.export.choice import KnownJob, find_job
from rkd_online.learning.checkpoint import write_checkpoint
from rkd_online.models.load import load_causal_lm
from rkd_online.run.records import RunFolder
from rkd_online.spec import JobSpec
from rkd_online.types import Progress, StepReport
from rkd_online.zoo import zoo_path

STUDENT = "zoo:chain-sum/student"
END = 1
VERSIONS = {"rkd-online": "0.0", "torch": "2.0"}


@cache
def student() -> PreTrainedModel:
    return load_causal_lm(zoo_path(STUDENT))


def make_job(
    data: Path,
    name: str = "sums",
    *,
    reports: Mapping[int, float] | None = None,
    checkpoints: Sequence[int] = (),
    **spec: Any,
) -> KnownJob:
    """One attempt of a job of 60 steps: rewards by step, and whole checkpoints."""
    run = RunFolder.of(data, name)
    values: dict[str, Any] = {
        "version": 1,
        "name": name,
        "policy": {"model": STUDENT},
        "teacher": {"model": "zoo:chain-sum/teacher"},
        "task": {"type": "chain_sum"},
        "algorithm": {"type": "rlad", "alpha": 0.25},
        "rollout": {"max_new_tokens": 40},
        "steps": 60,
        "seed": 7,
    }
    run.write_spec(JobSpec.model_validate(values | spec))
    attempt = run.attempt(1)
    attempt.path.mkdir(parents=True)
    attempt.setup.write_text(
        json.dumps({"tokenizer": "d1", "end_token_ids": [END, 5], "versions": VERSIONS})
    )
    lines = [
        StepReport(step, step, 0, {"step": 1.0}, {"reward/mean": reward})
        for step, reward in (reports or {}).items()
    ]
    attempt.metrics.write_text("".join(json.dumps(asdict(line)) + "\n" for line in lines))
    for step in checkpoints:
        write_checkpoint(
            attempt.checkpoints / f"step-{step:06d}",
            student(),
            student().state_dict(),
            zoo_path(STUDENT),
            {"version": step},
            Progress(step, 0, ()),
        )
    return find_job(data, name)


def keep(job: KnownJob, found: Evaluation, *, version: int) -> None:
    """An evaluation of a weight version among the job's."""
    decodings = {
        name: one.model_copy(update={"weight_version": version})
        for name, one in found.decodings.items()
    }
    kept = found.model_copy(update={"decodings": decodings})
    job.run.evaluations.mkdir(exist_ok=True)
    (job.run.evaluations / f"{found.model}.json").write_text(kept.model_dump_json())


def tokenizer(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder)
