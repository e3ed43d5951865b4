"""``rkd eval`` of the bundled pair, from the command to the tables."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.results import Figure, Goal, Result, Row, result
from rkd_online.evaluation.record import read_evaluation

PROMPTS: Final = 256
SAMPLES: Final = 8
MODELS: Final = ("student", "teacher")
LIMIT_SECONDS: Final = 600


def measure() -> Result:
    """One run of the command, which measures one model after the other."""
    with tempfile.TemporaryDirectory(prefix="rkd-benchmark-") as folder:
        seconds = _evaluate(Path(folder))
        found = {model: read_evaluation(Path(folder) / f"{model}.json") for model in MODELS}
    asked = f"{PROMPTS} prompts x {SAMPLES} samples at temperature 1, and greedy"
    rows: list[Row] = [
        Goal(
            what=f"student and teacher, {asked}, whole command",
            value=seconds,
            unit="s",
            bound="at most",
            limit=60,
        )
    ]
    for model, evaluation in found.items():
        sampled = evaluation.decodings["temperature_1"].measurement
        rate = sampled.answers_per_second
        rows.append(Figure(what=f"{model}, while it samples", value=rate, unit="answers/s"))
        spread = sampled.pass_at_1.high - sampled.pass_at_1.low
        rows.append(Figure(what=f"{model}, width of pass@1's interval", value=spread, unit=""))
    return result("evaluation", "Evaluation of the bundled pair without a job", rows)


def _evaluate(folder: Path) -> float:
    """Seconds of the command, its start included."""
    models = [f"zoo:chain-sum/{model}" for model in MODELS]
    asked = ["--prompts", str(PROMPTS), "--samples", str(SAMPLES), "--max-new-tokens", "64"]
    command = [sys.executable, "-m", "rkd_online.cli", "eval", *models, "chain_sum", *asked]
    started = time.perf_counter()
    subprocess.run([*command, "--out", str(folder)], check=True, timeout=LIMIT_SECONDS)
    return time.perf_counter() - started
