"""A job that is changed while it runs, and paused twice, does what it does without the pauses."""

import asyncio
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rkd_online.evaluation.report import Report
from rkd_online.metrics.sinks import JsonlSink, Sinks, read_reports
from rkd_online.run.attempt import Attempt, checked_prompts, run_attempt
from rkd_online.run.local import LocalWorkforce
from rkd_online.run.prepare import prepare
from rkd_online.run.records import RunFolder
from rkd_online.run.steering import Paused
from rkd_online.spec import JobSpec
from rkd_online.spec.changes import Changes, ChangesSoFar, changed_spec
from rkd_online.types import StepReport

SPEC = JobSpec.model_validate(
    {
        "version": 1,
        "name": "steered",
        "policy": {"model": "zoo:chain-sum/student"},
        "teacher": {"model": "zoo:chain-sum/teacher"},
        "task": {"type": "chain_sum"},
        "algorithm": {"type": "rlad"},
        "rollout": {"prompts_per_step": 2, "group_size": 4, "max_new_tokens": 40},
        "optimizer": {"learning_rate": 1e-3, "schedule": {"type": "linear"}},
        "evaluation": {"prompts": 8, "samples": 2, "decoding": ["temperature_1"]},
        "checkpoint": {"every": 20},
        "resources": {"generator": {"kv_cache_mib": 32}},
        "steps": 3,
    }
)
CHANGES = ChangesSoFar(
    number=1, values=Changes(learning_rate=2e-3, alpha=0.25, steps=5, evaluation_every=4)
)
MEASURED_IN_SECONDS = ("throughput/", "idle/", "loop/", "cost/")


class Asker:
    """Asks for the changes during step 2, and for a pause during a step or when a message comes."""

    def __init__(self, changes: ChangesSoFar | None = None, *, pause: int | str = -1) -> None:
        self.changes = changes
        self.pausing = False
        self.events: list[tuple[str, dict[str, object]]] = []
        self._pause = pause

    def report(self, report: StepReport) -> None:
        if report.step == 2:
            self.changes = CHANGES
        if report.step == self._pause:
            self.pausing = True

    def event(self, type: str, data: dict[str, object]) -> None:
        self.events.append((type, data))
        if data.get("message") == self._pause:
            self.pausing = True

    def close(self) -> None: ...

    def told(self, type: str) -> list[dict[str, object]]:
        return [data for name, data in self.events if name == type]


async def attempt(spec: JobSpec, folder: RunFolder, asker: Asker, *, applied: int = 0) -> Report:
    number, resume = len(folder.attempts()) + 1, folder.latest_checkpoint()
    setup = prepare(folder.path, number, spec, "file")
    metrics = JsonlSink(folder.attempt(number).metrics)
    sink = Sinks([metrics, asker])
    prompts = checked_prompts(setup, resume, sink)
    work = LocalWorkforce(setup)
    try:
        await work.ready()
        return await run_attempt(
            Attempt(setup, prompts, work, folder, sink, resume, orders=asker, applied=applied)
        )
    finally:
        await work.close()
        metrics.close()


def comparable(folder: RunFolder) -> list[dict[str, float]]:
    return [
        {
            name: value
            for name, value in report.metrics.items()
            if not name.startswith(MEASURED_IN_SECONDS)
        }
        for report in folder.reports()
    ]


def test_a_changed_job_that_is_paused_is_the_one_that_was_not(tmp_path: Path) -> None:
    """Paused during step 3, and again while its teacher is measured."""
    whole, paused = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "paused")
    asker = Asker()
    report = asyncio.run(attempt(SPEC, whole, asker))
    rates = [one.metrics["optimizer/learning_rate"] for one in whole.reports()]
    # To 0 at step 3, then to 0 at step 5.
    assert rates == pytest.approx([1e-3 * 2 / 3, 1e-3 / 3, 2e-3 * 2 / 5, 2e-3 / 5, 0.0])
    assert [one.metrics.get("phase/alpha") for one in whole.reports()] == [None] * 2 + [0.25] * 3
    assert ["validation/pass_at_1" in one.metrics for one in whole.reports()] == [
        False, False, False, True, False,
    ]  # fmt: skip
    changed = {"step": 3, "number": 1, "values": CHANGES.values.model_dump()}
    assert asker.told("changed") == [changed]
    assert (report.steps, asker.told("paused")) == (5, [])

    first, second = Asker(pause=3), Asker(CHANGES, pause="measuring the teacher")
    with pytest.raises(Paused) as pause:
        asyncio.run(attempt(SPEC, paused, first))
    assert (pause.value.step, first.told("changed")) == (3, [changed])
    assert [one["step"] for one in first.told("checkpoint")] == [0, 3]
    resumed = changed_spec(SPEC, CHANGES.values)
    with pytest.raises(Paused) as pause:
        asyncio.run(attempt(resumed, paused, second, applied=1))
    assert (pause.value.step, second.told("changed")) == (5, [])
    measured = paused.evaluations / "student-after.json"
    kept = measured.stat().st_mtime_ns
    assert not (paused.evaluations / "teacher.json").exists()
    again = asyncio.run(attempt(resumed, paused, Asker(CHANGES), applied=1))

    assert measured.stat().st_mtime_ns == kept
    assert [[step.step for step in steps] for steps in by_attempt(paused)] == [
        [1, 2, 3],
        [4, 5],
        [],
    ]
    for one, other in zip(comparable(whole), comparable(paused), strict=True):
        assert other == pytest.approx(one, rel=0, abs=1e-6)
    assert (again.pass_at_1, again.spec_digest) == (report.pass_at_1, report.spec_digest)
    assert_same_weights(whole.checkpoints()[5], paused.checkpoints()[5])


def by_attempt(folder: RunFolder) -> list[list[StepReport]]:
    return [read_reports([one.metrics]) for one in folder.attempts()]


def assert_same_weights(one: Path, other: Path) -> None:
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (one, other))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.allclose(tensor, theirs[name], rtol=0, atol=1e-6), name
