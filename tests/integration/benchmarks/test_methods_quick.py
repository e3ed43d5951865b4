"""The comparison of methods, as short as it can be: each is tuned, trained, tested and shown."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.methods.cells import QUICK
from benchmarks.methods.entrants import METHODS
from benchmarks.methods.outcome import Baseline, Prices, Trained

CELL = "sums-unreliable"
COMMAND = [sys.executable, "-m", "benchmarks.methods", "--quick", "--cell", CELL]


def compared(out: Path) -> str:
    done = subprocess.run(
        [*COMMAND, "--out", str(out)], capture_output=True, text=True, timeout=580, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(600)
def test_all_methods_are_compared_and_nothing_is_done_twice(tmp_path: Path) -> None:
    said = compared(tmp_path)
    page = tmp_path / "pages" / f"{CELL}.md"
    assert said.splitlines()[-1] == f"written: {page}"
    results = tmp_path / "results" / CELL
    baseline = Baseline.model_validate_json((results / "baseline.json").read_bytes())
    assert len(baseline.teacher.correct) == len(baseline.student.correct) == QUICK.prompts
    assert sum(baseline.teacher.correct) > sum(baseline.student.correct)
    prices = Prices.model_validate_json((results / "prices.json").read_bytes())
    assert set(prices.steps) == set(METHODS) and min(prices.steps.values()) > 0
    assert prices.steps["sft"] < prices.steps["grpo"]
    assert (prices.rows, prices.collecting > 0) == (8 * QUICK.stored, True)
    for name in METHODS:
        trained = Trained.model_validate_json(
            (results / "tested" / f"{name}-rate0.0001-seed0.json").read_bytes()
        )
        assert 2 in trained.tests and set(trained.validated()) >= {1, 2}
        assert ("policy/kl_teacher" in trained.curves) is (name not in ("grpo", "sft"))
        assert f"| `{name}` |" in page.read_text()
    assert not list((tmp_path / "work").rglob("*.safetensors"))

    again = compared(tmp_path)
    assert [line for line in again.splitlines() if "to do" in line] == [
        f"{CELL}, before training: 0 of 2 to do",
        f"{CELL}, trainings: 0 of 7 to do",
    ]
