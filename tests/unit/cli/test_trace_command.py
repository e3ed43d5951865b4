"""rkd trace: the file for a viewer, and where the time went in the terminal."""

import gzip
import json
from pathlib import Path

import pytest

from rkd_online.metrics.chrome_trace import chrome_trace
from tests.unit.cli.answers import JOB, Answers
from tests.unit.cli.conftest import Rkd
from tests.unit.metrics.traced import two_steps, viewed


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a job with two steps; the command runs beside its data folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".rkd" / "runs" / "quickstart"
    two_steps(folder)
    return folder


def test_the_file_is_named_after_the_job_and_the_terminal_says_where_the_time_went(
    rkd: Rkd, job: Path
) -> None:
    outcome = rkd("trace", "quickstart", "--folder", ".rkd")
    assert (outcome.code, outcome.err) == (0, "")
    file = Path("quickstart.trace.json")
    assert json.loads(file.read_text())["traceEvents"] == viewed(job)
    lines = [line.strip() for line in outcome.out.splitlines() if line.strip()]
    assert lines[:3] == [
        f"trace: quickstart.trace.json ({file.stat().st_size / 1000:.1f} kB)",
        "open it at https://ui.perfetto.dev or chrome://tracing",
        "critical path · 2 steps in 6.0 s",
    ]
    rows = {words[0]: words[1:] for words in map(str.split, lines[3:])}
    # Bars are 40 wide: 3.5 and 2 of 6 s, and the half second between the steps.
    assert rows["generate"] == ["3.5", "58.3%", "█" * 23 + "░" * 17]
    assert rows["swap"] == ["2.0", "33.3%", "█" * 13 + "░" * 27]
    assert rows["other"] == ["0.5", "8.3%", "█" * 3 + "░" * 37]
    assert rows["generator:0"] == ["6.0", "0.0%", "█" * 40]
    assert rows["learner:0"] == ["0.5", "91.7%", "█" * 3 + "░" * 37]
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_a_control_planes_trace_is_the_same_file_compressed_where_its_name_asks(
    rkd: Rkd, answers: Answers, job: Path
) -> None:
    text = "".join(chrome_trace(job))
    answers.by_path = {f"GET /v1/jobs/{JOB}/trace": text.encode()}
    assert rkd("trace", JOB, "-o", "slow.json.gz").code == 0
    assert gzip.decompress(Path("slow.json.gz").read_bytes()).decode() == text


def test_standard_output_is_the_file_alone(rkd: Rkd, job: Path) -> None:
    outcome = rkd("trace", "quickstart", "--folder", ".rkd", "-o", "-")
    assert outcome.out == "".join(chrome_trace(job))
    assert "critical path" in outcome.err


def test_a_run_without_a_step_is_told_so_and_no_file_is_left(rkd: Rkd, job: Path) -> None:
    outcome = rkd("trace", "other", "--folder", ".rkd")
    assert (outcome.code, outcome.err) == (
        1,
        "error: there is no trace in .rkd/runs/other: the run has not finished its first step, or "
        "its records lie in another --folder\n",
    )
    assert not Path("other.trace.json").exists()


def test_a_file_that_cannot_be_written_is_an_error(rkd: Rkd, job: Path) -> None:
    outcome = rkd("trace", "quickstart", "--folder", ".rkd", "-o", "none/trace.json")
    assert (outcome.code, outcome.err) == (
        1,
        "error: --output none/trace.json cannot be written: No such file or directory\n",
    )
