"""Ratios of steps that have each other for neighbours, and a small run of all methods."""

from pathlib import Path

import pytest

from benchmarks import catalogue_cost
from benchmarks.catalogue_cost import GROUP, OPTIONS, Size, batch_rows, measured, ratios
from benchmarks.results import Figure, Goal
from rkd_online.types import CandidateRow
from tests.tiny_models import make_tiny_model


def test_a_ratio_is_of_neighbours_and_the_median_of_its_rounds() -> None:
    """A machine that becomes slower with every step; the second algorithm takes half as long again
    as the first, the third twice as long, and once much longer."""
    taken: list[int] = []
    slow = {0: 1.0, 1: 1.5, 2: 2.0}

    def seconds(place: int) -> float:
        taken.append(place)
        hiccup = 50 if len(taken) == 6 else 1
        return slow[place] * hiccup * 1.0001 ** len(taken)

    found = ratios(seconds, algorithms=3, rounds=4, name="test")
    assert taken[:3] == [0, 1, 2]
    assert taken[3:] == [1, 0, 2, 0, 0, 1, 0, 2] * 2
    assert found == pytest.approx([1.5, 2.0], rel=2e-4)


def test_rows_are_of_every_kind() -> None:
    rows = batch_rows(Size("tiny", Path, groups=2, prompt=3, completion=4, rounds=1))
    assert len(rows) == 2 * GROUP
    assert all(isinstance(row, CandidateRow) for row in rows)
    assert len({row.prompt_ids.tobytes() for row in rows}) == 2
    assert {(row.correct, row.group_wrong) for row in rows} == {
        (False, True), (False, False), (True, False),
    }  # fmt: skip
    for group in range(2):
        assert sum(row.advantage for row in rows if row.group_id == group) == 0


def test_every_method_has_a_row_and_those_of_one_forward_a_goal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_cost, "THREADS", 1)
    folder = make_tiny_model(tmp_path / "model")
    size = Size("tiny", lambda: folder, groups=2, prompt=3, completion=4, rounds=1)
    rows = measured(size)
    goals = [row.what for row in rows if isinstance(row, Goal)]
    names = ("gspo", "cispo", "rlad", "opd", "kdrl", "kdrl_mask", "srpo", "hdpo", "rlsd", "sft")
    assert goals == [f"tiny: {name}" for name in names]
    figures = [row.what for row in rows if isinstance(row, Figure)]
    assert figures == [
        "tiny, 16 rows of 3 + 4 tokens: grpo",
        "tiny: topd (a second forward pass of the policy)",
        *(f"tiny: {name}" for name in OPTIONS),
    ]
    assert all(row.value > 0 for row in rows)
