"""A job that holds its policy near the one that it loaded."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.learning.learner import PolicyLearner
from rkd_online.models.load import load_causal_lm
from rkd_online.spec.algorithm import Grpo
from rkd_online.spec.phases import Phase, StepEnd
from rkd_online.types import Progress, Turn
from tests.unit.learning.training import (
    WIDE,
    learner,
    plain_logprobs,
    plain_loss,
    training_batch,
    training_rows,
    weights,
)

BETA = 0.5
HELD = Grpo(clip_low=0.99, clip_high=100.0, reference_kl={"type": "k2", "beta": BETA})
ROWS = training_rows(2)
LONGEST = max(len(row.prompt_ids) + len(row.completion_ids) for row in (*ROWS, *training_rows(1)))


def after_one_step(policy: Path, algorithm: Grpo = HELD, **optimizer: Any) -> PolicyLearner:
    """A learner whose policy is no longer the reference."""
    found = learner(policy, algorithm, learning_rate=1e-2, **optimizer)
    found.update(training_batch(1))
    return found


def as_plain(trained: PolicyLearner, policy: Path) -> PreTrainedModel:
    """A plain model with the learner's weights."""
    model = load_causal_lm(policy)
    model.load_state_dict(weights(trained), strict=False)
    return model


def penalty(now: PreTrainedModel, reference: PreTrainedModel) -> tuple[Tensor, float]:
    """k2 of every token, weighed as the surrogate is, and the mean of lp - lr."""
    total, distance = torch.zeros(()), 0.0
    for row in ROWS:
        policy = plain_logprobs(now, row)
        with torch.no_grad():
            anchor = plain_logprobs(reference, row)
        weight = (policy.detach() - torch.tensor(row.sampler_logprobs)).exp().clamp(max=2.0)
        total = total + (weight * BETA / 2 * (policy - anchor).square()).mean()
        distance += float((policy.detach() - anchor).mean())
    return total / len(ROWS), distance / len(ROWS)


@pytest.mark.parametrize("budget", [LONGEST, 2 * LONGEST, 16_384])
def test_the_gradient_is_that_of_the_penalty_and_the_surrogate(policy: Path, budget: int) -> None:
    moved = after_one_step(policy, micro_batch_tokens=budget)
    model = as_plain(moved, policy)
    result = moved.update(training_batch(2, ROWS))
    old = [plain_logprobs(model, row).detach() for row in ROWS]
    extra, distance = penalty(model, load_causal_lm(policy))
    loss = plain_loss(model, ROWS, old, alpha=1.0) + extra
    loss.backward()
    for ours, theirs in zip(moved.model.parameters(), model.parameters(), strict=True):
        assert ours.grad is not None and theirs.grad is not None
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5)
    assert float(extra.detach()) > 0.01
    assert result.metrics["policy/loss"] == pytest.approx(float(loss.detach()), abs=1e-5)
    assert result.metrics["policy/kl_reference"] == pytest.approx(distance, abs=1e-5)
    assert abs(distance) > 0.01


def test_at_the_first_step_the_policy_is_the_reference_to_the_bit(policy: Path) -> None:
    held = learner(policy, HELD, micro_batch_tokens=LONGEST).update(training_batch(1, ROWS)).metrics
    free = learner(policy, WIDE, micro_batch_tokens=LONGEST).update(training_batch(1, ROWS)).metrics
    assert held.pop("policy/kl_reference") == 0.0
    assert held == free


def test_several_optimizer_steps_are_held_near_the_same_reference(policy: Path) -> None:
    once = learner(policy, HELD, learning_rate=1e-2, minibatches=2).update(training_batch(1, ROWS))
    # The first half of the batch meets the reference itself, the second a policy that has moved.
    assert abs(once.metrics["policy/kl_reference"]) > 0.01


def test_a_resumed_learner_has_the_reference_of_the_job_and_not_of_the_checkpoint(
    policy: Path, tmp_path: Path
) -> None:
    first = after_one_step(policy)
    first.save(tmp_path / "step-000001", Progress(1, 2, ()))
    expected = first.update(training_batch(2, ROWS))
    again = learner(policy, HELD, learning_rate=1e-2)
    again.restore(tmp_path / "step-000001")
    assert again.update(training_batch(2, ROWS)) == expected
    assert abs(expected.metrics["policy/kl_reference"]) > 0.01


def test_a_second_model_is_there_where_a_phase_asks_for_it_and_runs_in_that_phase_alone(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Path] = []

    def counted(folder: Path, **settings: Any) -> PreTrainedModel:
        loads.append(folder)
        return load_causal_lm(folder, **settings)

    monkeypatch.setattr("rkd_online.learning.learner.load_causal_lm", counted)
    learner(policy, WIDE)
    assert loads == [policy]
    phases = [Phase(algorithm=WIDE, until=StepEnd(type="step", step=1)), Phase(algorithm=HELD)]
    both = learner(policy, phases=phases)
    assert loads == [policy] * 3
    batch = training_batch(1, ROWS)
    assert "policy/kl_reference" not in both.update(batch).metrics
    second = training_batch(2, ROWS, turn=Turn(1, 0))
    assert "policy/kl_reference" in both.update(second).metrics


def test_the_reference_is_never_trained(policy: Path) -> None:
    held = after_one_step(policy)
    assert held._reference is not None
    for ours, loaded in zip(
        held._reference.parameters(), load_causal_lm(policy).parameters(), strict=True
    ):
        assert torch.equal(ours, loaded) and not ours.requires_grad and ours.grad is None
    assert {name for name, _ in held.state_tensors()} == set(
        dict(load_causal_lm(policy).named_parameters())
    )
