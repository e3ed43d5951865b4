"""Memory as ``rkd plan`` predicts it beside what a process of each role takes.

Each role has a process of its own, which is given a step of the longest sequences. A learner is
measured three times: as it is; by what its tensors take, as torch counts it; and with large blocks
mapped one by one, which leaves no gaps in the allocator's heap.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from benchmarks.models import folder, prompt_files, random_model
from benchmarks.results import ROOT, Figure, Result, Row, result
from rkd_online.spec.job import JobSpec
from rkd_online.spec.sizing.layout import Layout
from rkd_online.spec.sizing.parts import MIB, Actor
from rkd_online.spec.sizing.source import sized_models

ROLES: Final = ("learner", "scorer", "generator")
KV_CACHE_MIB: Final = 128


@dataclass(frozen=True)
class Case:
    """A job by its policy, its teacher, its longest lengths and what the optimizer is told."""

    name: str
    policy: str
    teacher: str
    prompts: int
    prompt: int
    new: int
    optimizer: dict[str, Any]
    precision: str = "float32"

    def spec(self) -> JobSpec:
        """The job."""
        files = {split: str(path) for split, path in prompt_files(8).items()}
        return JobSpec.model_validate(
            {
                "version": 1,
                "name": "plan",
                "policy": {"model": self.policy},
                "teacher": {"model": self.teacher},
                "algorithm": {"type": "rlad"},
                "task": {"type": "file", "match": "numeric", **files},
                "prompt": {"type": "plain"},
                "rollout": {
                    "prompts_per_step": self.prompts,
                    "group_size": 8,
                    "max_prompt_tokens": self.prompt,
                    "max_new_tokens": self.new,
                },
                "optimizer": self.optimizer,
                "precision": dict.fromkeys(("learner", "scorer"), self.precision),
                "resources": {"generator": {"kv_cache_mib": KV_CACHE_MIB, "max_sequences": 64}},
                "steps": 2,
            }
        )


def cases() -> tuple[Case, ...]:
    """The bundled pair, and random weights that are large beside all else that a process holds."""
    large = str(random_model("100M"))
    long = partial(Case, policy=large, teacher=large, prompts=4, prompt=256, new=128)
    budget = {"micro_batch_tokens": 2560}
    again = budget | {"activation_checkpointing": True}
    return (
        Case(
            "bundled pair",
            "zoo:chain-sum/student",
            "zoo:chain-sum/teacher",
            prompts=64,
            prompt=16,
            new=64,
            optimizer={"micro_batch_tokens": 16_384},
        ),
        long("100M", optimizer=budget),
        long("100M, layers computed again", optimizer=again),
        long("100M, bfloat16", optimizer=budget, precision="bfloat16"),
    )


def measure() -> Result:
    """Every role of every case; what the optimizer is told matters to the learner alone."""
    rows: list[Row] = []
    for case in cases():
        for actor in _measured_actors(case):
            what = f"{case.name}: {actor.role}"
            found = _measured(case, actor.role)
            rows += _compared(f"{what}, before a model", _process(actor), found.before)
            rows += _compared(what, actor.peak.bytes, found.most)
            if actor.role == "learner":
                tensors = actor.peak.bytes - _process(actor)
                rows += _compared(
                    f"{what}, tensors alone", tensors, _measured(case, "tensors").most
                )
                mapped = _measured(case, "mapped").most
                rows += _compared(f"{what}, without gaps", actor.peak.bytes, mapped)
    title = "Memory of each role, as `rkd plan` predicts it and as it is, on a CPU"
    return result("plan", title, rows)


def _measured_actors(case: Case) -> Iterator[Actor]:
    """What one case has that another has too is measured once."""
    spec = case.spec()
    left_out = {"scorer", "generator"} if spec.optimizer.activation_checkpointing else set()
    if spec.precision.learner == "bfloat16":
        left_out.add("generator")
    for actor in Layout(spec, sized_models(spec, {})).actors():
        if actor.role in ROLES and actor.role not in left_out and actor.count:
            yield actor


@dataclass(frozen=True)
class Held:
    """Bytes of a process before it has a model, and the most since then."""

    before: int
    most: int


def _compared(what: str, predicted: int, measured: int) -> list[Row]:
    return [
        Figure(what=f"{what}, predicted", value=predicted / MIB, unit="MiB"),
        Figure(what=f"{what}, measured", value=measured / MIB, unit="MiB"),
        Figure(what=f"{what}, measured over predicted", value=measured / predicted, unit=""),
    ]


def _process(actor: Actor) -> int:
    return sum(part.bytes for part in actor.peak.parts if part.name == "process")


def _measured(case: Case, role: str) -> Held:
    """In a process of its own."""
    file = folder() / "plan.json"
    file.write_text(case.spec().model_dump_json())
    command = [sys.executable, "-m", "benchmarks.memory_roles", role, str(file)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return Held(*json.loads(said.stdout.splitlines()[-1]))
