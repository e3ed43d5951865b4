"""Under which names a step's numbers are written."""

from rkd_online.types import StepReport


def scalars(report: StepReport) -> dict[str, float]:
    """The metrics by their own names, the seconds of a stage as ``timings/<stage>``, and
    ``staleness``."""
    timings = {f"timings/{stage}": seconds for stage, seconds in report.timings.items()}
    return report.metrics | timings | {"staleness": float(report.staleness)}
