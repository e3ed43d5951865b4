"""A whole run in this process, and its records beside plain Hugging Face forwards."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from pyarrow import parquet
from transformers import AutoModelForCausalLM, PreTrainedModel

from rkd_online.evaluation.report import Report
from rkd_online.metrics.sinks import read_reports
from rkd_online.run.inline import run_inline
from rkd_online.run.records import RunFolder
from rkd_online.run.report import TOKEN_ROLES
from rkd_online.spec import JobSpec
from rkd_online.types import StepReport

Row = dict[str, Any]
TOLERANCE = 1e-4
"""Nats, float32 against float32."""
PROMPTS, SIBLINGS = 4, 4
OF_OWN_PROCESSES = {f"cost/{role}_core_seconds" for role in (*TOKEN_ROLES, "loop")}
"""Metrics that a run in one process has not."""


@dataclass(frozen=True)
class Run:
    """A finished run and its records."""

    folder: RunFolder
    spec: JobSpec
    report: Report

    @property
    def steps(self) -> list[StepReport]:
        return read_reports([self.folder.attempt(1).metrics])

    def rows(self, step: int) -> list[Row]:
        path = self.folder.attempt(1).path / "rollouts" / f"step-{step:06d}.parquet"
        rows: list[Row] = parquet.read_table(path).to_pylist()
        return rows

    def checkpoint(self, step: int) -> Path:
        return self.folder.attempt(1).checkpoints / f"step-{step:06d}"

    def differences(self, column: str, step: int, model: Path, temperature: float = 1.0) -> float:
        """Largest distance of a step's recorded log-probs from those of a model folder."""
        return max(
            float((torch.tensor(row[column]) - logprobs(model, row, temperature)).abs().max())
            for row in self.rows(step)
        )


@cache
def load(folder: Path) -> PreTrainedModel:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert isinstance(model, PreTrainedModel)
    return model


def logprobs(folder: Path, row: Row, temperature: float) -> torch.Tensor:
    """Of every completion token, by a plain forward of the one sequence."""
    ids = row["prompt_ids"] + row["completion_ids"]
    with torch.no_grad():
        logits = load(folder)(torch.tensor([ids])).logits[0] / temperature
    table = torch.log_softmax(logits, -1)[len(row["prompt_ids"]) - 1 : -1]
    return table.gather(1, torch.tensor(row["completion_ids"])[:, None])[:, 0]


def run(root: Path, name: str, **values: Any) -> Run:
    """A run with a checkpoint of every weight version."""
    rollout = {"prompts_per_step": PROMPTS, "group_size": SIBLINGS} | values.pop("rollout")
    common: dict[str, Any] = {
        "version": 1,
        "name": name,
        "evaluation": {"prompts": 4, "samples": 2, "every": 1, "every_prompts": 4},
        "checkpoint": {"every": 1, "keep": 20},
        "resources": {"generator": {"kv_cache_mib": 32}},
    }
    spec = JobSpec.model_validate(common | values | {"rollout": rollout})
    folder = RunFolder(root / name)
    return Run(folder, spec, run_inline(spec, folder))
