"""What a trace says about itself, on a job whose spans are known."""

import json
from pathlib import Path

from rkd_online.metrics.chrome_trace import chrome_trace, summary_of
from rkd_online.metrics.trace_summary import TraceSummary
from tests.unit.metrics.traced import two_steps, write_steps

# The loop's first stage starts at 10 s: the generator works from then to 16 s without a gap.
TWO_STEPS = TraceSummary(
    attempts=1,
    steps=2,
    seconds=6.0,
    critical_path={"generate": 3.5, "swap": 2.0},
    busy={"generator:0": 6.0, "learner:0": 0.5},
)


def test_the_summary_is_the_last_line_of_the_file(tmp_path: Path) -> None:
    two_steps(tmp_path)
    text = "".join(chrome_trace(tmp_path))
    assert summary_of(text.splitlines()[-1]) == TWO_STEPS
    assert json.loads(text)["otherData"] == TWO_STEPS.model_dump()


def test_the_time_between_attempts_is_nobodys(tmp_path: Path) -> None:
    two_steps(tmp_path)
    again = {"loop": [("generate", 90.0, 91.0)], "generator:0": [("publish", 80.0, 90.25)]}
    write_steps(tmp_path, 2, (2, again))
    found = summary_of("".join(chrome_trace(tmp_path)).splitlines()[-1])
    assert found == TraceSummary(
        attempts=2,
        steps=3,
        seconds=7.0,
        critical_path={"generate": 4.5, "swap": 2.0},
        busy={"generator:0": 6.25, "learner:0": 0.5},
    )


def test_a_long_trace_comes_in_pieces_of_bounded_size(tmp_path: Path) -> None:
    steps = ((step, {"loop": [("update", step, step + 0.5)]}) for step in range(1, 1001))
    write_steps(tmp_path, 1, *steps)
    pieces = list(chrome_trace(tmp_path))
    assert max(map(len, pieces)) < 100_000
    # Two names and indices, one of the process, the first version, then step and stage of each.
    assert len(json.loads("".join(pieces))["traceEvents"]) == 4 + 2 + 1 + 2 * 1000
