"""Steps of methods that look at whole groups, or weigh tokens otherwise, from a plain forward."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.learning.learner import PolicyLearner
from rkd_online.models.load import load_causal_lm
from rkd_online.spec.algorithm import Algorithm, Grpo, Hdpo, KdrlMask, Sft, Topd
from rkd_online.types import TrainingRow
from tests.unit.learning.training import (
    SMOOTH,
    learner,
    plain_logprobs,
    training_batch,
    training_rows,
)

ROWS = training_rows(0)
LONGEST = max(len(row.prompt_ids) + len(row.completion_ids) for row in ROWS)
TOKENS = sum(len(row.completion_ids) for row in ROWS)
FREE: dict[str, Any] = {"clip_low": 0.99, "clip_high": 100.0}

Advantages = Callable[[Sequence[TrainingRow], Sequence[Tensor]], list[Tensor]]
"""Of every token, from all rows and their old log-probs."""


def rewards(rows: Sequence[TrainingRow], old: Sequence[Tensor]) -> list[Tensor]:
    pairs = zip(rows, old, strict=True)
    return [torch.full_like(before, row.advantage) for row, before in pairs]


def distances(rows: Sequence[TrainingRow], old: Sequence[Tensor]) -> list[Tensor]:
    pairs = zip(rows, old, strict=True)
    return [torch.tensor(row.teacher_logprobs) - before for row, before in pairs]


def where_wrong(rows: Sequence[TrainingRow], old: Sequence[Tensor]) -> list[Tensor]:
    taught = zip(rows, rewards(rows, old), distances(rows, old), strict=True)
    return [reward if row.correct else reward + 0.5 * d for row, reward, d in taught]


def where_all_wrong(rows: Sequence[TrainingRow], old: Sequence[Tensor]) -> list[Tensor]:
    solved = {row.group_id for row in rows if row.correct}
    taught = zip(rows, rewards(rows, old), distances(rows, old), strict=True)
    return [reward if row.group_id in solved else reward + 0.5 * d for row, reward, d in taught]


def returns(rows: Sequence[TrainingRow], old: Sequence[Tensor]) -> list[Tensor]:
    found = []
    for distance in distances(rows, old):
        gains = (0.3 * distance.exp() + 0.7).log()
        later = [gains[t + 1 :].mean() if t + 1 < len(gains) else 0.0 for t in range(len(gains))]
        found.append(gains + torch.tensor(later))
    for group in {row.group_id for row in rows}:
        chosen = [index for index, row in enumerate(rows) if row.group_id == group]
        together = torch.cat([found[index] for index in chosen])
        for index in chosen:
            scale = together.std(correction=0) + 1e-6
            found[index] = (found[index] - together.mean()) / scale
    return found


def plain_step(
    model: PreTrainedModel,
    rows: Sequence[TrainingRow],
    old: Sequence[Tensor],
    advantages: Sequence[Tensor],
    divide: Callable[[int], float],
) -> Tensor:
    """The loss at policy and old policy; ``divide`` makes of a row's length what its sum is
    divided by, the whole batch's denominator included."""
    total = torch.zeros(())
    for row, before, advantage in zip(rows, old, advantages, strict=True):
        weight = (before - torch.tensor(row.sampler_logprobs)).exp().clamp(max=2.0)
        ratio = (plain_logprobs(model, row) - before).exp()
        total = total - (weight * ratio * advantage).sum() / divide(len(advantage))
    return total


CASES: dict[str, tuple[Algorithm, Advantages, Callable[[int], float]]] = {
    "token_mean": (
        Grpo(aggregation={"type": "token_mean"}, **FREE),
        rewards,
        lambda length: TOKENS,
    ),
    "constant": (
        Grpo(aggregation={"type": "constant", "tokens": 12}, **FREE),
        rewards,
        lambda length: 12 * len(ROWS),
    ),
    "kdrl_mask": (KdrlMask(beta=0.5, **FREE), where_wrong, lambda length: length * len(ROWS)),
    "hdpo": (Hdpo(beta=0.5, **FREE), where_all_wrong, lambda length: length * len(ROWS)),
    "topd": (Topd(teacher_weight=0.3, **FREE), returns, lambda length: length * len(ROWS)),
    "topd by token": (
        Topd(teacher_weight=0.3, aggregation={"type": "token_mean"}, **FREE),
        returns,
        lambda length: TOKENS,
    ),
}


def test_the_rows_have_both_kinds_of_groups_in_which_siblings_differ_in_length() -> None:
    assert {row.group_wrong for row in ROWS} == {True, False}
    assert len({len(row.completion_ids) for row in ROWS}) > 3


@pytest.mark.parametrize("budget", [LONGEST, 2 * LONGEST, 16_384])
@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_the_whole_batchs_for_every_token_budget(
    policy: Path, case: str, budget: int
) -> None:
    algorithm, advantages, divide = CASES[case]
    updated = learner(policy, algorithm, micro_batch_tokens=budget)
    result = updated.update(training_batch(1, ROWS))
    model = load_causal_lm(policy)
    old = [plain_logprobs(model, row).detach() for row in ROWS]
    loss = plain_step(model, ROWS, old, advantages(ROWS, old), divide)
    loss.backward()
    largest = 0.0
    for ours, theirs in zip(updated.model.parameters(), model.parameters(), strict=True):
        assert ours.grad is not None and theirs.grad is not None
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-6)
        largest = max(largest, float(theirs.grad.abs().max()))
    assert largest > 1e-2
    assert result.metrics["policy/loss"] == pytest.approx(float(loss.detach()), abs=1e-6)
    assert result.metrics["policy/ratio_mean"] == pytest.approx(1.0, abs=1e-6)


def test_returns_are_of_the_policy_before_the_first_of_several_steps(policy: Path) -> None:
    updated = learner(policy, Topd(teacher_weight=0.3, **FREE), minibatches=2, epochs=2)
    updated.update(training_batch(1, ROWS))
    model = load_causal_lm(policy)
    adam = torch.optim.AdamW(
        model.parameters(), lr=SMOOTH["learning_rate"], eps=SMOOTH["epsilon"], weight_decay=0.0
    )
    old = [plain_logprobs(model, row).detach() for row in ROWS]
    gains = returns(ROWS, old)
    for start in (0, 4, 0, 4):
        share = slice(start, start + 4)
        adam.zero_grad()
        plain_step(
            model, ROWS[share], old[share], gains[share], lambda length: length * 4
        ).backward()
        adam.step()
    for ours, theirs in zip(updated.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def forward_passes(policy: Path, algorithm: Algorithm, **optimizer: Any) -> int:
    updated: PolicyLearner = learner(policy, algorithm, **optimizer)
    counted: list[None] = []
    updated.model.get_input_embeddings().register_forward_hook(lambda *_: counted.append(None))
    updated.update(training_batch(1, ROWS))
    return len(counted)


def test_a_second_forward_is_for_what_looks_at_log_probs_of_whole_groups_alone(
    policy: Path,
) -> None:
    assert forward_passes(policy, Grpo()) == 1
    assert forward_passes(policy, Hdpo()) == 1
    assert forward_passes(policy, Topd()) == 2
    # With several optimizer steps every method needs it.
    assert forward_passes(policy, Grpo(), minibatches=2) == 3
    assert forward_passes(policy, Topd(), minibatches=2) == 3


def test_sft_is_the_cross_entropy_of_correct_rows_whoever_sampled_them(policy: Path) -> None:
    rows = [row for row in ROWS if row.correct]
    updated = learner(policy, Sft())
    result = updated.update(training_batch(1, rows))
    model = load_causal_lm(policy)
    loss = -torch.stack([plain_logprobs(model, row).mean() for row in rows]).mean()
    loss.backward()
    assert len(rows) >= 2
    for ours, theirs in zip(updated.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-6)
    assert result.metrics["policy/loss"] == pytest.approx(float(loss.detach()), abs=1e-6)
    assert result.metrics["policy/nll"] == pytest.approx(float(loss.detach()), abs=1e-6)
    assert not [name for name in result.metrics if name.startswith("sampler/")]
