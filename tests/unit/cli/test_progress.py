import io
import re
from typing import Any

import pytest
from rich.console import Console

from rkd_online.cli.progress import Progress


class Clock:
    """Time as the test sets it."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def step(number: int, *, seconds: float = 2.0, **metrics: float) -> dict[str, Any]:
    known = {"reward/mean": 0.25, "policy/kl_teacher": 0.125, "throughput/tokens_per_second": 4321}
    timings = {"generate": 0.75, "score": 0.25, "update": 0.5, "publish": 0.125, "step": seconds}
    return {"step": number, "timings": timings, "metrics": known | metrics}


def plain(steps: int = 60, clock: Clock | None = None) -> tuple[Progress, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, width=40)
    return Progress(steps=steps, title="job", console=console, clock=clock or Clock()), out


def test_without_a_terminal_a_step_is_one_line_however_narrow() -> None:
    progress, out = plain()
    with progress:
        progress.event("step", step(1, **{"validation/pass_at_1": 0.5}))
    assert out.getvalue() == (
        "step 1/60  reward 0.250  pass@1 0.500  KL teacher 0.125  entropy -  tokens/s 4,321  "
        "left 0:01:58\n"
    )


def test_plain_lines_come_every_five_seconds_and_at_the_last_step() -> None:
    clock = Clock()
    progress, out = plain(steps=20, clock=clock)
    for number in range(1, 21):
        progress.event("step", step(number))
        clock.now += 1
    assert re.findall(r"step (\d+)/20", out.getvalue()) == ["1", "6", "11", "16", "20"]


def test_the_remaining_time_is_the_recent_mean_step_times_the_steps_left() -> None:
    progress, _ = plain(steps=60)
    assert progress.left() is None
    progress.event("step", step(1, seconds=100.0))
    for number in range(2, 22):
        progress.event("step", step(number, seconds=3.0))
    # 20 recent steps of 3 s, 39 steps left; the slow first one no longer counts.
    assert str(progress.left()) == "0:01:57"


def test_phases_and_the_end_are_told_and_checkpoints_are_not() -> None:
    progress, out = plain()
    progress.event("log", {"message": "starting engine [1/2]"})
    progress.event("checkpoint", {"step": 0, "path": "attempts/1/checkpoints/step-000000"})
    progress.event("status", {"status": "running"})
    progress.event("attempt_lost", {"cause": "its run is failed"})
    progress.event("attempt_preempted", {"cause": "waits for Kueue"})
    progress.event("failed", {"message": "the loss of step 3 is nan"})
    assert out.getvalue().splitlines() == [
        "starting engine [1/2]",
        "job is running",
        "attempt lost: its run is failed",
        "attempt preempted: waits for Kueue",
        "failed: the loss of step 3 is nan",
    ]


@pytest.fixture
def screen() -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    with Progress(steps=60, title="quickstart", console=console) as progress:
        progress.event("log", {"message": "training [step 1]"})
        progress.event("step", step(1, **{"validation/pass_at_1": 0.5}))
        for number in range(2, 11):
            progress.event("step", step(number))
    return out.getvalue().rpartition("quickstart")[2]


def test_the_live_view_shows_where_the_job_is(screen: str) -> None:
    assert "step 10/60" in screen
    assert "0:01:40 left" in screen
    assert "training [step 1]" in screen


def test_the_live_view_keeps_the_last_steps_and_the_last_validation(screen: str) -> None:
    rows = re.findall(r"^ *(\d+) +0\.250 +0\.500 +0\.125 +- +4,321 +0\.75", screen, re.MULTILINE)
    assert rows == ["3", "4", "5", "6", "7", "8", "9", "10"]


@pytest.mark.parametrize("width", [100, 80, 40])
def test_the_live_view_is_never_wider_than_the_terminal(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None)
    title = f"{'a' * 40} · job-01m86x99ydxzq1b3"
    with Progress(steps=100_000, title=title, console=console) as progress:
        for number in range(1, 9):
            progress.event("step", step(number, seconds=1000.0))
    lines = re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", out.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    starts = ["aaaaa", "step", "waiti", "step", "1", "2", "3", "4", "5", "6", "7", "8"]
    assert [line.split()[0][:5] for line in lines[-12:]] == starts


def test_trouble_stays_above_the_live_view() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system=None)
    with Progress(steps=60, title="quickstart", console=console) as progress:
        progress.event("attempt_lost", {"cause": "its run is failed"})
        progress.event("status", {"status": "starting"})
    before, _, last = out.getvalue().rpartition("quickstart")
    assert before.count("attempt lost: its run is failed") == 1
    assert "job is starting" in last


WARNING = {"step": 9, "name": "truncated", "message": "50% of the completions are cut"}
STOP = {"step": 10, "reason": "reward/mean is 0.900, at least 0.9"}


def test_a_warning_stays_above_the_live_view_in_yellow() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system="standard")
    with Progress(steps=60, title="quickstart", console=console) as progress:
        progress.event("log", {"message": "training"})
        progress.event("warning", WARNING)
    before, _, last = out.getvalue().rpartition("quickstart")
    assert "\x1b[33mwarning, step 9: 50% of the completions are cut\x1b[0m" in before
    assert "training" in last


def test_an_early_stop_ends_the_bar_and_says_why() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system=None)
    with Progress(steps=60, title="quickstart", console=console) as progress:
        progress.event("step", step(10))
        progress.event("early_stop", STOP)
    before, _, last = out.getvalue().rpartition("quickstart")
    assert "step 10: the job ends early, reward/mean is 0.900, at least 0.9" in before
    assert last.splitlines()[1].rstrip() == f"{'━' * 32}  step 10/10"


def test_a_display_of_a_run_that_goes_on_after_its_early_stop_has_no_step_to_wait_for() -> None:
    progress, out = plain()
    progress.event("early_stop", STOP)
    progress.event("warning", WARNING)
    assert progress.left() is None
    assert out.getvalue().splitlines() == [
        "step 10: the job ends early, reward/mean is 0.900, at least 0.9",
        "warning, step 9: 50% of the completions are cut",
    ]


def test_changes_are_said_and_move_the_last_step() -> None:
    progress, out = plain()
    progress.event("step", step(10))
    progress.event(
        "changed", {"step": 11, "number": 2, "values": {"learning_rate": 1e-5, "steps": 80}}
    )
    left = progress.left()
    assert left is not None and left.total_seconds() == 70 * step(10)["timings"]["step"]
    progress.event("changed", {"step": 10, "number": 3, "values": {"steps": 4}})
    progress.event("paused", {"step": 10})
    left = progress.left()
    assert left is not None and left.total_seconds() == 0
    assert out.getvalue().splitlines()[1:] == [
        "step 11: the job goes on with learning_rate 1e-05, steps 80",
        "step 10: the job goes on with steps 4",
        "paused after step 10",
    ]


def test_the_last_view_has_no_spinner_and_no_time_left() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system=None)
    with Progress(steps=1, title="quickstart", said="loading", console=console) as progress:
        progress.event("step", step(1))
    last = out.getvalue().rpartition("quickstart")[2].splitlines()
    assert [line.rstrip() for line in last[1:3]] == [f"{'━' * 32}  step 1/1", "loading"]
