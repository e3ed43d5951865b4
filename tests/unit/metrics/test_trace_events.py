"""From a run's trace lines to what trace viewers load, on jobs whose spans are known."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.metrics.traced import by_thread, overlaps, two_steps, viewed, write_steps

NEEDED = {
    "M": {"ph", "name", "pid", "args"},
    "C": {"ph", "name", "pid", "ts", "args"},
    "X": {"ph", "name", "cat", "pid", "tid", "ts", "dur", "args"},
}
"""What the Trace Event Format asks of the phases that we use, and ``cat``."""


def test_overlapping_work_lies_on_lanes_and_cut_work_is_joined(tmp_path: Path) -> None:
    two_steps(tmp_path)
    assert by_thread(viewed(tmp_path)) == {
        "1 steps": [("step 1", 1_000_000, 3_000_000), ("step 2", 4_500_000, 2_500_000)],
        "1 loop": [
            ("generate", 1_000_000, 2_000_000),
            ("swap", 3_000_000, 1_000_000),
            ("generate", 4_500_000, 1_500_000),
            ("swap", 6_000_000, 1_000_000),
        ],
        "1 generator:0": [("generate", 0, 3_000_000), ("publish", 5_000_000, 2_000_000)],
        "1 generator:0 (2)": [("generate", 2_000_000, 3_500_000)],
        "1 learner:0": [("publish", 6_000_000, 500_000)],
    }


def test_a_span_names_the_steps_in_which_it_was_seen(tmp_path: Path) -> None:
    two_steps(tmp_path)
    (joined,) = (one for one in viewed(tmp_path) if one.get("dur") == 3_500_000)
    assert joined["args"] == {"step": 1, "last_step": 2}
    assert joined["cat"] == "generator"


def test_work_goes_on_over_several_steps(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        work = {
            "loop": [("generate", step - 0.9, step - 0.1)],
            "scorer:0": [("score", step - 1.0, step + 0.0)],
        }
        write_steps(tmp_path, 1, (step, work))
    assert by_thread(viewed(tmp_path))["1 scorer:0"] == [("score", 0, 3_000_000)]


def test_another_stage_that_starts_at_a_cut_is_not_joined(tmp_path: Path) -> None:
    loop = [("update", 1.0, 2.0)]
    write_steps(tmp_path, 1, (1, {"loop": loop, "learner:0": [("update", 1.0, 2.0)]}))
    write_steps(tmp_path, 1, (2, {"loop": loop, "learner:0": [("publish", 2.0, 3.0)]}))
    assert by_thread(viewed(tmp_path))["1 learner:0"] == [
        ("update", 0, 1_000_000),
        ("publish", 1_000_000, 1_000_000),
    ]


def test_each_attempt_is_a_process_and_a_step_that_was_done_again_is_in_both(
    tmp_path: Path,
) -> None:
    one = {"loop": [("update", 100.0, 101.0)]}
    again = {"loop": [("update", 200.0, 202.0)]}
    write_steps(tmp_path, 10, (2, again))
    write_steps(tmp_path, 2, (1, one), (2, {"loop": [("update", 101.5, 103.0)]}))
    (tmp_path / "attempts" / "3").mkdir()
    events = viewed(tmp_path)
    names = [(e["pid"], e["args"]["name"]) for e in events if e["name"] == "process_name"]
    assert names == [(2, "attempt 2"), (10, "attempt 10")]
    assert by_thread(events) == {
        "2 steps": [("step 1", 0, 1_000_000), ("step 2", 1_500_000, 1_500_000)],
        "2 loop": [("update", 0, 1_000_000), ("update", 1_500_000, 1_500_000)],
        "10 steps": [("step 2", 100_000_000, 2_000_000)],
        "10 loop": [("update", 100_000_000, 2_000_000)],
    }


def test_viewers_list_steps_and_loop_first_and_lanes_below_their_worker(tmp_path: Path) -> None:
    two_steps(tmp_path)
    events = viewed(tmp_path)
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    by_id = [names[tid] for tid in sorted(names)]
    assert by_id == ["steps", "loop", "generator:0", "generator:0 (2)", "learner:0"]
    indices = sorted(
        (e["args"]["sort_index"], e["tid"]) for e in events if e["name"] == "thread_sort_index"
    )
    assert [names[tid] for _, tid in indices] == by_id


def test_the_weight_version_is_a_counter_that_steps_at_each_swap(tmp_path: Path) -> None:
    two_steps(tmp_path)
    found = [(e["ts"], e["args"]) for e in viewed(tmp_path) if e["ph"] == "C"]
    assert found == [
        (1_000_000, {"version": 0}),
        (4_000_000, {"version": 1}),
        (7_000_000, {"version": 2}),
    ]


def test_half_a_line_is_passed_over(tmp_path: Path) -> None:
    with two_steps(tmp_path).open("a") as file:
        file.write('{"step": 3, "spans": {"loop": [["gen')
    steps = by_thread(viewed(tmp_path))["1 steps"]
    assert [name for name, _, _ in steps] == ["step 1", "step 2"]


def test_every_event_has_what_the_format_asks_for(tmp_path: Path) -> None:
    two_steps(tmp_path)
    events = viewed(tmp_path)
    assert {one["ph"] for one in events} == set(NEEDED)
    for one in events:
        assert set(one) >= NEEDED[one["ph"]]
        assert {type(one[key]) for key in ("pid", "tid", "ts", "dur") if key in one} <= {int}


@st.composite
def cut_work(draw: st.DrawFn) -> tuple[list[tuple[str, int, int]], list[int]]:
    """Spans of a worker, each of a stage of its own, in whole seconds; and where steps end."""
    number = st.integers(min_value=0, max_value=40)
    pairs = draw(st.lists(st.tuples(number, number), min_size=1, max_size=20))
    spans = [(f"s{n}", min(pair), max(pair) + 1) for n, pair in enumerate(pairs)]
    ends = draw(st.lists(st.integers(min_value=1, max_value=41), max_size=6, unique=True))
    return spans, [*sorted(ends), 42]


@given(cut_work())
@settings(max_examples=200, deadline=None)
def test_however_steps_cut_it_all_work_is_whole_and_nothing_overlaps(
    work: tuple[list[tuple[str, int, int]], list[int]],
) -> None:
    spans, ends = work
    begin = 0
    with TemporaryDirectory() as folder:
        for step, end in enumerate(ends, 1):
            loop: Any = [("generate", begin, end)]
            here = [
                (stage, max(first, begin), min(last, end))
                for stage, first, last in spans
                if first < end and last > begin
            ]
            write_steps(Path(folder), 1, (step, {"loop": loop, "worker:0": here}))
            begin = end
        events = viewed(Path(folder))
    assert list(overlaps(events)) == []
    found = [e for e in events if e["ph"] == "X" and e["cat"] == "worker"]
    assert sorted((e["name"], e["ts"], e["ts"] + e["dur"]) for e in found) == sorted(
        (stage, first * 1_000_000, last * 1_000_000) for stage, first, last in spans
    )
