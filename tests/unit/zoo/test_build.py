"""Training a bundled model again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rkd_online.errors import SpecError
from rkd_online.zoo.build import build, build_model, threads
from rkd_online.zoo.recipe import Recipe

TINY = Recipe("student", layers=1, corrupted=0.35, seed=3, steps=100, batch=2)


def weights(folder: Path, recipe: Recipe) -> bytes:
    with threads(1):
        build_model(folder, "chain-sum", recipe, progress=lambda line: None)
    return (folder / "model.safetensors").read_bytes()


def test_two_builds_give_the_same_bits_whatever_was_drawn_before(tmp_path: Path) -> None:
    first = weights(tmp_path / "first", TINY)
    torch.rand(7)
    assert weights(tmp_path / "second", TINY) == first
    assert weights(tmp_path / "other", replace(TINY, seed=4)) != first


def test_a_build_leaves_the_random_state_and_the_threads_as_they_were(tmp_path: Path) -> None:
    state, before = torch.get_rng_state(), torch.get_num_threads()
    weights(tmp_path, replace(TINY, steps=60))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == before


def test_progress_names_model_step_and_loss(tmp_path: Path) -> None:
    lines: list[str] = []
    build_model(tmp_path, "chain-sum", TINY, progress=lines.append)
    assert len(lines) == 1
    assert lines[0].startswith("student: step 100 of 100, loss ")


def stopped_at(step: int) -> Callable[[str], None]:
    """A report that cuts its training at this step, before the step is kept."""

    def report(line: str) -> None:
        if f"step {step} of" in line:
            raise KeyboardInterrupt

    return report


def test_a_training_that_was_cut_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    """It is cut in the report of step 200, so that step 100 is kept; two batches are drawn
    together."""
    recipe = replace(TINY, steps=208, alike=2)
    never_cut = weights(tmp_path / "whole", recipe)
    folder = tmp_path / "cut"
    with threads(1), pytest.raises(KeyboardInterrupt):
        build_model(folder, "chain-sum", recipe, stopped_at(200))
    assert {path.name for path in folder.iterdir()} == {"training.pt"}
    assert weights(folder, recipe) == never_cut
    assert "training.pt" not in {path.name for path in folder.iterdir()}


def test_a_model_that_is_whole_is_not_trained_again_and_one_that_was_cut_while_written_is(
    tmp_path: Path,
) -> None:
    """What is left of a cut while the model was written is its last state beside half a file."""
    whole = weights(tmp_path, TINY)
    lines: list[str] = []
    model, _ = build_model(tmp_path, "chain-sum", replace(TINY, seed=4), lines.append)
    assert lines == [f"student: is in {tmp_path} and not trained again"]
    assert (tmp_path / "model.safetensors").read_bytes() == whole
    assert not model.training

    again = tmp_path / "again"
    with threads(1), pytest.raises(KeyboardInterrupt):
        build_model(again, "chain-sum", replace(TINY, steps=200), stopped_at(200))
    (again / "model.safetensors").write_bytes(b"half")
    assert weights(again, replace(TINY, steps=200)) == weights(
        tmp_path / "uncut", replace(TINY, steps=200)
    )


def test_an_unknown_pair_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"called 'chain': choose .* chain-sum"):
        build(tmp_path, "chain")
