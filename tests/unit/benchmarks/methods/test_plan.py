"""What follows from what: the best learning rate, and the steps of equal core-seconds."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from benchmarks.methods import pool as pool_module
from benchmarks.methods.cells import CELLS, FULL, QUICK, Effort
from benchmarks.methods.entrants import METHODS
from benchmarks.methods.outcome import Baseline, Examined, Prices
from benchmarks.methods.pieces import Measuring, Pricing, Training
from benchmarks.methods.plan import CellPlan, best, equal_steps, late_score
from benchmarks.methods.pool import Places, Pool
from tests.unit.benchmarks.methods.records import examined, trained


def test_a_score_is_of_the_last_third() -> None:
    """Nine steps: those after the sixth count."""
    values = (0.1, None, 0.9, None, None, 0.9, 0.2, None, 0.4)
    assert late_score(trained("grpo", validated=values)) == pytest.approx(0.3)


def test_the_best_rate_is_the_one_with_the_highest_score_and_the_smallest_of_equals() -> None:
    assert best({1e-3: 0.75, 1e-4: 0.75, 1e-5: 0.5}) == 1e-4


def prices(**steps: float) -> Prices:
    return Prices(rows=16, collecting=15.0, steps=steps, commit="abc", machine="2 cores")


def test_equal_core_seconds_in_steps() -> None:
    """Of a budget of 60: 54.5 fitting steps are 55 at checkpoints every 5. sft has paid 15."""
    found = equal_steps(prices(grpo=1.0, kdrl=1.1, rlad=2.0, sft=0.25), 60, every=5)
    assert found == {"grpo": 60, "kdrl": 55, "rlad": 30, "sft": 180}
    assert equal_steps(prices(grpo=0.1, sft=0.25), 60, every=5) == {"grpo": 60, "sft": 0}


class Recorded(Pool):
    """A pool that makes up its results: methods with a teacher cost twice as much a step, sft a
    quarter, and the highest learning rate is the best but for opd."""

    def __init__(self, places: Places) -> None:
        super().__init__(places, at_once=1)
        self._kept = places
        self.done: list[Training] = []

    def do(self, pieces: list[Measuring | Pricing | Training], what: str) -> None:  # type: ignore[override]
        for piece in pieces:
            path = self._kept.result(piece)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._outcome(piece).model_dump_json())

    def _outcome(self, piece: Measuring | Pricing | Training) -> BaseModel:
        if isinstance(piece, Measuring):
            one = examined([1, 1])
            return Baseline(teacher=one, student=one, commit="abc", machine="2 cores")
        if isinstance(piece, Pricing):
            return prices(**dict.fromkeys(METHODS, 2.0) | {"grpo": 1.0, "sft": 0.25})
        self.done.append(piece)
        better = piece.rate == (1e-4 if piece.method == "opd" else 3e-3)
        tests: dict[int, Examined] = {step: examined([1, 1]) for step in piece.tested}
        made = trained(
            piece.method, seed=piece.seed, rate=piece.rate, tests=tests,
            validated=[0.75 if better else 0.5] * piece.steps,
        )  # fmt: skip
        return made.model_copy(update={"compared": piece.compared})


def planned(tmp_path: Path, effort: Effort) -> tuple[Recorded, CellPlan]:
    places = Places(tmp_path / "results", tmp_path / "work")
    recorded = Recorded(places)
    return recorded, CellPlan(CELLS["sums-unreliable"], effort, recorded, places)


def test_every_method_is_tuned_by_the_same_grid_and_trained_with_other_seeds(
    tmp_path: Path,
) -> None:
    recorded, plan = planned(tmp_path, FULL)
    found = plan.run()
    tuned = [one for one in recorded.done if not one.tested]
    final = [one for one in recorded.done if one.tested]
    assert {(one.method, one.rate) for one in tuned} == {
        (name, rate) for name in METHODS for rate in FULL.rates
    }
    assert {one.seed for one in tuned}.isdisjoint(one.seed for one in final)
    assert {one.rate for one in final if one.method == "opd"} == {1e-4}
    assert {one.rate for one in final if one.method != "opd"} == {3e-3}
    assert len(final) == len(FULL.seeds) * (len(METHODS) + len(FULL.alphas))
    assert {name: len(seeds) for name, seeds in found.trained.items()} == dict.fromkeys(
        [*METHODS, *(f"rlad-alpha-{alpha:g}" for alpha in FULL.alphas)], len(FULL.seeds)
    )


def test_equal_core_seconds_are_those_of_all_steps_of_grpo(tmp_path: Path) -> None:
    """60 steps of one core-second. sft has 45 left after collecting, and takes 180 quarters."""
    recorded, plan = planned(tmp_path, FULL)
    found = plan.run()
    assert found.equal_steps == dict.fromkeys(METHODS, 30) | {"grpo": 60, "sft": 180}
    lengths = {one.method: (one.steps, one.tested) for one in recorded.done if one.tested}
    assert lengths["grpo"] == (60, (60,))
    assert lengths["kdrl"] == (60, (30, 60))
    assert lengths["sft"] == (180, (60, 180))
    assert lengths["rlad-alpha-0.1"] == (60, (60,))


def test_a_quick_comparison_has_every_method_once_and_tunes_none(tmp_path: Path) -> None:
    recorded, plan = planned(tmp_path, QUICK)
    found = plan.run()
    assert sorted(one.method for one in recorded.done) == sorted(METHODS)
    assert {one.compared for one in recorded.done} == {2}
    assert (found.grids, set(found.rates.values())) == ({}, {1e-4})


def training(seed: int) -> Training:
    return Training(
        cell="sums-unreliable", effort="quick", method="grpo", rate=1e-4, seed=seed, steps=2,
        compared=2,
    )  # fmt: skip


def script(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this be what a piece's process runs."""
    package = tmp_path / "package" / "benchmarks" / "methods"
    package.mkdir(parents=True)
    (package / "pieces.py").write_text(text)
    monkeypatch.setattr(pool_module, "ROOT", tmp_path / "package")


def test_what_is_done_stays_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = "import sys, pathlib\np = pathlib.Path(sys.argv[3])\n"
    writes += "p.parent.mkdir(parents=True, exist_ok=True)\np.write_text(sys.argv[1])\n"
    script(tmp_path, writes, monkeypatch)
    places = Places(tmp_path / "results", tmp_path / "work")
    first, second = training(0), training(1)
    Pool(places, at_once=2).do([first, second], "both")
    assert json.loads(places.result(second).read_text())["seed"] == 1
    places.result(first).write_text("kept")
    places.result(second).unlink()
    Pool(places, at_once=1).do([first, second], "again")
    assert places.result(first).read_text() == "kept"
    assert json.loads(places.result(second).read_text())["seed"] == 1


def test_a_piece_that_fails_says_its_last_words_and_where_the_others_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path, "raise SystemExit('the disk is full')\n", monkeypatch)
    places = Places(tmp_path / "results", tmp_path / "work")
    with pytest.raises(SystemExit, match="ended with 1; its last words:\nthe disk is full\n"):
        Pool(places, at_once=1).do([training(0), training(1)], "both")
    logs = [path.name for path in (tmp_path / "work").rglob("*.log")]
    assert logs == ["grpo-rate0.0001-seed0.log"]
