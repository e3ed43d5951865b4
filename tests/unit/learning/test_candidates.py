"""Steps whose loss has a divergence from the teacher's candidates, from a plain forward."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.models.load import load_causal_lm
from rkd_online.spec.algorithm import Grpo, Opd
from rkd_online.types import CandidateRow, Progress
from tests.unit.learning.training import (
    TEMPERATURE,
    WIDE,
    learner,
    plain_logprobs,
    plain_loss,
    training_batch,
    training_rows,
    with_candidates,
)

WEIGHT, BETA = 0.7, 0.3
DIVERGENCES: dict[str, dict[str, Any]] = {
    "forward": {"type": "forward"},
    "reverse": {"type": "reverse"},
    "jsd": {"type": "jsd", "beta": BETA},
}
ROWS = with_candidates(training_rows(0))
LONGEST = max(len(row.prompt_ids) + len(row.completion_ids) for row in ROWS)


def drawn(kind: str) -> Grpo:
    divergence = DIVERGENCES[kind] | {"k": 3, "weight": WEIGHT}
    wide: dict[str, Any] = {"clip_low": 0.99, "clip_high": 100.0}
    return Grpo.model_validate(wide | {"teacher_divergence": divergence})


def plain_divergence(model: PreTrainedModel, row: CandidateRow, kind: str) -> Tensor:
    """Of each token of a row, by its probabilities: the candidates' and what is left of 1."""
    ids = torch.tensor([[*row.prompt_ids, *row.completion_ids]])
    logits = model(input_ids=ids).logits[0, len(row.prompt_ids) - 1 : -1].double() / TEMPERATURE
    asked = torch.tensor(row.candidates.ids).view(-1, 3)
    inside = logits.softmax(-1).gather(1, asked)
    policy = torch.cat([inside, 1 - inside.sum(-1, keepdim=True)], -1)
    told_apart = torch.tensor(row.candidates.logprobs, dtype=torch.float64).view(-1, 3).exp()
    rest = torch.tensor(row.candidates.rest, dtype=torch.float64).exp()
    teacher = torch.cat([told_apart, rest.unsqueeze(-1)], -1)
    if kind == "forward":
        return (teacher * (teacher / policy).log()).sum(-1)
    if kind == "reverse":
        return (policy * (policy / teacher).log()).sum(-1)
    mixture = BETA * teacher + (1 - BETA) * policy
    from_teacher = BETA * (teacher * (teacher / mixture).log()).sum(-1)
    return from_teacher + (1 - BETA) * (policy * (policy / mixture).log()).sum(-1)


@pytest.mark.parametrize("budget", [LONGEST, 2 * LONGEST, 16_384])
@pytest.mark.parametrize("kind", DIVERGENCES)
def test_the_gradient_is_that_of_the_divergence_and_the_surrogate(
    policy: Path, kind: str, budget: int
) -> None:
    updated = learner(policy, drawn(kind), micro_batch_tokens=budget)
    result = updated.update(training_batch(1, ROWS))
    model = load_causal_lm(policy)
    old = [plain_logprobs(model, row).detach() for row in ROWS]
    means = torch.stack([plain_divergence(model, row, kind).mean() for row in ROWS])
    loss = plain_loss(model, ROWS, old, alpha=1.0) + WEIGHT * means.mean()
    loss.backward()
    for ours, theirs in zip(updated.model.parameters(), model.parameters(), strict=True):
        assert ours.grad is not None and theirs.grad is not None
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5)
    distance = float(means.mean().detach())
    assert distance > 0.1
    assert result.metrics["policy/loss"] == pytest.approx(float(loss.detach()), abs=1e-5)
    assert result.metrics["teacher/divergence"] == pytest.approx(distance, abs=1e-5)
    mass = [1 - torch.tensor(row.candidates.rest).exp().mean() for row in ROWS]
    expected = float(torch.stack(mass).mean())
    assert result.metrics["teacher/top_k_mass"] == pytest.approx(expected, abs=1e-5)


def test_old_log_probs_and_the_other_metrics_are_those_without_it(policy: Path) -> None:
    plain = learner(policy, WIDE).update(training_batch(1, ROWS))
    found = learner(policy, drawn("jsd")).update(training_batch(1, ROWS))
    assert found.old_logprobs == plain.old_logprobs
    for name, value in plain.metrics.items():
        if name not in ("policy/loss", "optimizer/gradient_norm"):
            assert found.metrics[name] == value, name


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_steps_draw_a_policy_nearer_to_its_teacher(policy: Path, kind: str) -> None:
    """With advantages of 0 it is all that they learn from."""
    moving = learner(policy, drawn(kind), learning_rate=1e-2, epochs=4)
    still = [replace(row, advantage=0.0) for row in ROWS]
    found = [
        moving.update(training_batch(step, still)).metrics["teacher/divergence"]
        for step in range(1, 5)
    ]
    assert found[-1] < 0.8 * found[0], found


def test_a_resumed_learner_goes_on_to_the_bit(policy: Path, tmp_path: Path) -> None:
    first = learner(policy, drawn("reverse"))
    first.update(training_batch(1, ROWS))
    first.save(tmp_path / "step-000001", Progress(1, 2, ()))
    again = learner(policy, drawn("reverse"))
    again.restore(tmp_path / "step-000001")
    assert again.update(training_batch(2, ROWS)) == first.update(training_batch(2, ROWS))


def test_rows_without_candidates_are_refused_by_name(policy: Path) -> None:
    with pytest.raises(ValueError, match=r"^rollout 0 of group 0 has no candidates of the teacher"):
        learner(policy, drawn("forward")).update(training_batch(1, training_rows(0)))


def test_candidates_are_left_alone_where_the_algorithm_does_not_ask(policy: Path) -> None:
    with_them = learner(policy, Opd()).update(training_batch(1, ROWS))
    assert with_them == learner(policy, Opd()).update(training_batch(1, training_rows(0)))
