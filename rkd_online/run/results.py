"""From measurements and step reports to the job's report."""

from collections.abc import Sequence

from rkd_online.evaluation.measurement import Measurement
from rkd_online.evaluation.report import Report, compared, gap_closed, summarize
from rkd_online.run.setup import JobSetup
from rkd_online.types import StepReport

WHOLE_STEP = "step"
"""The timing of a step as a whole, beside those of its stages."""


def make_report(
    setup: JobSetup,
    steps: Sequence[StepReport],
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
            "stage_seconds": seconds | {"other": max(0.0, whole - sum(seconds.values()))},
            "loop_share": own / whole,
            "rollouts": rollouts,
            "completion_tokens": round(sum(_tokens(step) for step in steps)),
        }
    )


def total_seconds(steps: Sequence[StepReport]) -> dict[str, float]:
    """Seconds by stage over all steps."""
    names = {name for step in steps for name in step.timings}
    return {name: sum(step.timings.get(name, 0.0) for step in steps) for name in sorted(names)}


def _tokens(step: StepReport) -> float:
    return step.metrics["throughput/tokens_per_second"] * step.timings[WHOLE_STEP]
