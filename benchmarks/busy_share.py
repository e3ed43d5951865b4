"""How busy the generator is in a pipelined job whose learner is not the bottleneck: the bundled
student, which its engine samples more slowly than the learner learns."""

import statistics
from pathlib import Path
from typing import Final

from benchmarks.our_step import PORT, OurSetting, job_spec, our_service
from benchmarks.results import Figure, Goal, Result, Row, result
from benchmarks.step_cases import CASES
from rkd_online.cli.watching import follow
from rkd_online.client import Client
from rkd_online.metrics.sinks import read_reports
from rkd_online.run.records import RunFolder
from rkd_online.types import StepReport

SETTING: Final = OurSetting(
    max_staleness=1, generator_threads=1, learner_threads=1, micro_batch_tokens=16_384
)
WARM_UP, STEPS, DRAINED = 5, 30, 2


def measure() -> Result:
    """Medians over the steps in the middle of the job."""
    with our_service():
        client = Client(f"http://127.0.0.1:{PORT}")
        spec = job_spec(CASES["small"], SETTING, WARM_UP + STEPS + DRAINED)
        job = client.submit(spec).id
        follow(client, job)
        (attempt,) = RunFolder(Path(client.get(job).links.data)).attempts()
        reports = read_reports([attempt.metrics])[WARM_UP:-DRAINED]
    rows: list[Row] = [
        Goal(
            what="generator busy",
            value=100 * (1 - _median(reports, "idle/generator_share")),
            unit="%",
            bound="at least",
            limit=90,
        ),
        Figure(
            what="learner busy", value=100 * (1 - _median(reports, "idle/learner_share")), unit="%"
        ),
        Figure(what="nobody busy", value=100 * _median(reports, "loop/share"), unit="%"),
    ]
    return result("busy-share", "How busy the roles of a pipelined job are, bundled student", rows)


def _median(reports: list[StepReport], metric: str) -> float:
    return statistics.median(report.metrics[metric] for report in reports)
