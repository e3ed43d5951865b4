"""A learner that two processes share does what one does, at any token budget."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.integration.learning.shared_training import LARGEST_NORM
from tests.tiny_models import ModelKind, make_tiny_model

TOLERANCE = 1e-5
METHODS: dict[str, dict[str, Any]] = {
    "topd": {"type": "topd", "teacher_weight": 0.3},
    "hdpo": {"type": "hdpo", "beta": 0.5},
    "with a reference": {"type": "grpo", "reference_kl": {"type": "k2", "beta": 0.5}},
    "with a divergence": {
        "type": "gspo",
        "teacher_divergence": {"type": "jsd", "k": 3, "weight": 0.5, "beta": 0.3},
    },
}
"""Beside RLAD: what is made of whole groups, by a second forward pass or at assembly; a model
beside the policy; log-probs beside those of the sampled tokens."""
SCRIPT = "tests.integration.learning.shared_training"


@dataclass(frozen=True)
class Run:
    """What a learner of some ranks left."""

    found: dict[str, Any]
    weights: dict[str, torch.Tensor]
    checkpoint: dict[str, torch.Tensor]


def run(
    model: Path,
    name: str,
    *,
    ranks: int,
    budget: int = 16_384,
    precision: str = "float32",
    algorithm: dict[str, Any] | None = None,
    change: dict[str, float] | None = None,
    **optimizer: Any,
) -> Run:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting_point = f"127.0.0.1:{free.getsockname()[1]}"
    out = model.parent / name
    out.mkdir()
    settings = {
        "model": str(model),
        "out": str(out),
        "ranks": ranks,
        "meeting_point": meeting_point,
        "precision": precision,
        "algorithm": algorithm or {"type": "rlad"},
        "change": change or {},
        "optimizer": {"micro_batch_tokens": budget, "minibatches": 2} | optimizer,
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", SCRIPT, json.dumps(settings | {"rank": rank})],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for rank in range(ranks)
    ]
    said = [process.communicate(timeout=180)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * ranks, "\n".join(said)
    return Run(
        json.loads((out / "found.json").read_text()),
        load_file(out / "weights.safetensors"),
        load_file(out / "step-000003" / "model.safetensors"),
    )


@pytest.fixture(scope="module", params=["qwen3-tied", "llama-untied"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind: ModelKind = request.param
    return make_tiny_model(tmp_path_factory.mktemp(kind) / "model", kind)


@pytest.fixture(scope="module")
def alone(model: Path) -> Run:
    return run(model, "alone", ranks=1)


@pytest.mark.parametrize("budget", [16, 40, 16_384])
def test_two_ranks_learn_what_one_learns(model: Path, alone: Run, budget: int) -> None:
    assert_equal(run(model, f"two-{budget}", ranks=2, budget=budget), alone)


def test_two_ranks_that_compute_layers_again_learn_the_same(model: Path, alone: Run) -> None:
    again = run(model, "again", ranks=2, budget=40, activation_checkpointing=True)
    assert_equal(again, alone)


@pytest.mark.parametrize("name", METHODS)
def test_two_ranks_learn_by_other_methods_what_one_learns(tmp_path: Path, name: str) -> None:
    """Of rows that meet in other micro-batches than their siblings."""
    model = make_tiny_model(tmp_path / "model", "llama-untied")
    settings: dict[str, Any] = {"algorithm": METHODS[name], "minibatches": 1}
    one = run(model, "alone", ranks=1, **settings)
    assert_equal(run(model, "two", ranks=2, budget=16, **settings), one)


def test_a_change_of_the_learning_rate_reaches_both_ranks(tmp_path: Path) -> None:
    """After the first of three steps. A rank that kept its rate would move its half of every
    weight by the old one."""
    model = make_tiny_model(tmp_path / "model", "llama-untied")
    change = {"learning_rate": 3e-3}
    one = run(model, "alone", ranks=1, change=change)
    two = run(model, "two", ranks=2, budget=40, change=change)
    assert two.found["rates"] == [[3e-4, 3e-3, 3e-3]] * 2
    assert_equal(two, one)
    kept = run(model, "kept", ranks=1)
    moved = [
        float((one.checkpoint[name] - tensor).abs().max())
        for name, tensor in kept.checkpoint.items()
    ]
    assert max(moved) > 10 * TOLERANCE


def test_two_ranks_learn_what_one_learns_of_padded_rows(tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path / "model", "gpt-oss-untied")
    assert_equal(run(model, "two", ranks=2, budget=40), run(model, "alone", ranks=1))


def assert_equal(shared: Run, alone: Run) -> None:
    for ours, theirs in zip(shared.found["metrics"], alone.found["metrics"], strict=True):
        # A gradient's norm is around 10, and float32 rounds it by its size.
        norm = "optimizer/gradient_norm"
        assert ours[norm] == pytest.approx(theirs[norm], rel=TOLERANCE)
        assert ours | {norm: 0} == pytest.approx(theirs | {norm: 0}, rel=0, abs=TOLERANCE)
    for step, rows in enumerate(alone.found["old"]):
        for ours, theirs in zip(shared.found["old"][step], rows, strict=True):
            assert ours == pytest.approx(theirs, rel=0, abs=TOLERANCE)
    assert shared.found["probe"] == pytest.approx(alone.found["probe"], rel=0, abs=TOLERANCE)
    for ours, theirs in ((shared.weights, alone.weights), (shared.checkpoint, alone.checkpoint)):
        assert ours.keys() == theirs.keys()
        for name, tensor in theirs.items():
            assert torch.allclose(ours[name], tensor, rtol=0, atol=TOLERANCE), name


def test_all_steps_but_the_last_scale_their_gradients_down(alone: Run) -> None:
    norms = [metrics["optimizer/gradient_norm"] for metrics in alone.found["metrics"]]
    assert min(norms[:-1]) > 2 * LARGEST_NORM


def test_weights_change_by_more_than_the_tolerance(alone: Run) -> None:
    moved = [
        float((alone.weights[name] - tensor).abs().max())
        for name, tensor in alone.checkpoint.items()
    ]
    assert max(moved) > 10 * TOLERANCE


def test_every_rank_refuses_what_is_not_finite_on_one(model: Path, alone: Run) -> None:
    shared = run(model, "refused", ranks=2, budget=16)
    for one in (shared, alone):
        assert "the loss of step 5 is nan on groups [2, 3]; no weights" in one.found["refusal"]
