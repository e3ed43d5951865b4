"""The quickstart over three seeds, through REST, Ray and vLLM, and the memory that it all takes.

Beside it the same jobs with GRPO, which leaves the teacher's signal out of the update.
"""

import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.memory import PeakMemory
from benchmarks.results import ROOT, Figure, Goal, Result, Row, result
from rkd_online.cli.connection import connect_to_own
from rkd_online.cli.demo import control_plane
from rkd_online.cli.watching import follow
from rkd_online.client import Client
from rkd_online.evaluation.report import Report
from rkd_online.spec.load import load_spec

SEEDS = (0, 1, 2)
PORT, DASHBOARD_PORT = 8430, 8275
PICTURE = ROOT / "docs" / "images" / "quickstart.png"


def measure() -> Result:
    """Run all jobs, one after the other."""
    with (
        tempfile.TemporaryDirectory(prefix="rkd-benchmark-") as data,
        PeakMemory() as memory,
        control_plane(Console(), PORT, Path(data), DASHBOARD_PORT),
    ):
        client = connect_to_own(f"http://127.0.0.1:{PORT}", Path(data))
        rlad = [_run(client, _spec(seed)) for seed in SEEDS]
        grpo = [_run(client, _spec(seed) | _GRPO) for seed in SEEDS]
        folder = Path(client.get(rlad[0].job).links.data)
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "report.png", PICTURE)
    return result(
        "quickstart",
        "The quickstart: RLAD on the bundled pair, three seeds",
        [*_rows(rlad), *_control(rlad, grpo), _memory(memory)],
    )


_GRPO: dict[str, Any] = {"name": "quickstart-grpo", "algorithm": {"type": "grpo"}}


def _spec(seed: int) -> dict[str, Any]:
    spec = load_spec(ROOT / "examples" / "quickstart.yaml").model_copy(update={"seed": seed})
    return spec.model_dump(mode="json")


def _run(client: Client, spec: dict[str, Any]) -> Report:
    job = client.submit(spec).id
    follow(client, job)
    return Report.model_validate(client.report(job))


def _rows(reports: list[Report]) -> list[Row]:
    first = reports[0].pass_at_1
    assert first.teacher is not None
    rows: list[Row] = [
        Figure(what="teacher, pass@1", value=first.teacher.value, unit=""),
        Figure(what="student before, pass@1", value=first.student_before.value, unit=""),
    ]
    for seed, report in zip(SEEDS, reports, strict=True):
        after = report.pass_at_1.student_after.value
        rows.append(Figure(what=f"student after, seed {seed}, pass@1", value=after, unit=""))
    return [
        *rows,
        Goal(
            what="share of the gap closed, mean of the seeds",
            value=_mean_gap(reports),
            unit="",
            bound="at least",
            limit=0.5,
        ),
        Goal(
            what="training, longest of the seeds",
            value=max(report.training_seconds for report in reports) / 60,
            unit="min",
            bound="at most",
            limit=5,
        ),
        Goal(
            what="the loop's own share of a step, mean of the seeds",
            value=100 * statistics.mean(report.loop_share for report in reports),
            unit="%",
            bound="at most",
            limit=10,
        ),
    ]


def _control(rlad: list[Report], grpo: list[Report]) -> list[Row]:
    """Both algorithms on the same seeds."""
    return [
        Figure(what="share of the gap closed by GRPO, mean", value=_mean_gap(grpo), unit=""),
        Figure(what="RLAD, tokens per answer after, mean", value=_mean_tokens(rlad), unit="tokens"),
        Figure(what="GRPO, tokens per answer after, mean", value=_mean_tokens(grpo), unit="tokens"),
    ]


def _mean_gap(reports: list[Report]) -> float:
    shares = [report.gap_closed for report in reports]
    assert None not in shares, "the teacher is ahead of the student before"
    return statistics.mean(share for share in shares if share is not None)


def _mean_tokens(reports: list[Report]) -> float:
    return statistics.mean(report.tokens_per_answer.student_after for report in reports)


def _memory(memory: PeakMemory) -> Row:
    return Goal(
        what="peak memory of control plane, Ray, driver and actors (PSS)",
        value=memory.gib,
        unit="GiB",
        bound="at most",
        limit=5,
    )
