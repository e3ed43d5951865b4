"""A run tells what is wrong when it begins to be, once over all its attempts."""

from pathlib import Path

import pytest

from rkd_online.run.inline import run_inline
from rkd_online.run.records import RunFolder
from rkd_online.spec import JobSpec
from rkd_online.types import StepReport

SPEC = JobSpec.model_validate(
    {
        "version": 1,
        "name": "cut",
        "policy": {"model": "zoo:chain-sum/student"},
        "task": {"type": "chain_sum"},
        "algorithm": {"type": "grpo"},
        # Its answers have more than 20 tokens.
        "rollout": {"prompts_per_step": 2, "group_size": 2, "max_new_tokens": 8},
        "evaluation": {"prompts": 4, "samples": 1, "decoding": ["temperature_1"]},
        "checkpoint": {"every": 10},
        "resources": {"generator": {"kv_cache_mib": 32}},
        "steps": 12,
    }
)


class Watching:
    """Keeps warnings, and ends the run at a step as Ctrl-C would."""

    def __init__(self, until: int) -> None:
        self.warnings: list[dict[str, object]] = []
        self._until = until

    def report(self, report: StepReport) -> None:
        if report.step == self._until:
            raise KeyboardInterrupt

    def event(self, type: str, data: dict[str, object]) -> None:
        if type == "warning":
            self.warnings.append(data)

    def close(self) -> None: ...


def test_a_warning_is_told_when_it_begins_and_not_again_after_a_resume(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "cut")
    first, second = Watching(until=11), Watching(until=0)
    with pytest.raises(KeyboardInterrupt):
        run_inline(SPEC, folder, [first])
    report = run_inline(SPEC, folder, [second])
    assert [step.step for step in folder.reports()] == list(range(1, 13))
    assert [(one["step"], one["name"]) for one in first.warnings] == [(10, "truncated")]
    assert second.warnings == []
    assert [one.model_dump() for one in report.warnings] == first.warnings
