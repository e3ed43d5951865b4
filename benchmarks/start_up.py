"""From submit to the first rollout: the bundled pair, on a control plane that runs already."""

import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks.results import Figure, Goal, Result, Row, result
from rkd_online.cli.connection import connect_to_own
from rkd_online.cli.demo import control_plane
from rkd_online.client import Client

PORT, DASHBOARD_PORT = 8434, 8279
RUNS: Final = 3
SPEC: Final = {
    "version": 1,
    "name": "start-up",
    "policy": {"model": "zoo:chain-sum/student"},
    "teacher": {"model": "zoo:chain-sum/teacher"},
    "task": {"type": "chain_sum"},
    "algorithm": {"type": "rlad"},
    "rollout": {"prompts_per_step": 32, "group_size": 8, "max_new_tokens": 64},
    "evaluation": {"prompts": 1, "samples": 1},
    "steps": 1,
}


def measure() -> Result:
    """Seconds of the parts, of the fastest of a few starts."""
    with (
        tempfile.TemporaryDirectory(prefix="rkd-benchmark-") as data,
        control_plane(Console(), PORT, Path(data), DASHBOARD_PORT),
    ):
        client = connect_to_own(f"http://127.0.0.1:{PORT}", Path(data))
        found = min((_start(client) for _ in range(RUNS)), key=lambda parts: parts["first"])
    rows: list[Row] = [
        Figure(what="submit to the run's process", value=found["started"], unit="s"),
        Figure(what="to the job prepared and its prompts checked", value=found["fit"], unit="s"),
        Figure(what="to all models loaded and step 0 saved", value=found["checkpoint"], unit="s"),
        Goal(
            what="submit to the first group of rollouts",
            value=found["first"],
            unit="s",
            bound="at most",
            limit=25,
        ),
    ]
    return result("start-up", "From submit to the first rollout, bundled pair", rows)


def _start(client: Client) -> dict[str, float]:
    """When the parts of one job's start were over, in seconds from its submission. The first group
    is that of the evaluation before training: one prompt, which the event after it ends."""
    begun = time.time()
    ends: dict[str, float] = {}
    for event in client.stream(client.submit(SPEC).id):
        message = str(event.data.get("message", ""))
        at = event.at.timestamp() - begun
        if event.type in ("started", "checkpoint"):
            ends.setdefault(event.type, at)
        elif message.endswith("prompts fit"):
            ends["fit"] = at
        elif message.startswith("training"):
            ends["first"] = at
    return ends
