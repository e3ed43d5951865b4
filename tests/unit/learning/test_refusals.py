"""A step that must not be taken leaves the policy as it was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rkd_online.errors import SpecError, TrainingError
from rkd_online.types import Progress, TrainingRow, logprobs
from tests.unit.learning.training import learner, training_batch, training_rows, weights

ROWS = training_rows(0)
NAN = float("nan")


def nan_teacher(row: TrainingRow) -> TrainingRow:
    return replace(row, teacher_logprobs=logprobs([NAN] * len(row.completion_ids)))


def nan_advantage(row: TrainingRow) -> TrainingRow:
    return replace(row, advantage=NAN)


@pytest.mark.parametrize("spoil", [nan_teacher, nan_advantage])
def test_a_loss_that_is_not_finite_names_step_and_groups_and_changes_nothing(
    policy: Path, spoil: Callable[[TrainingRow], TrainingRow]
) -> None:
    updated = learner(policy, micro_batch_tokens=20)
    updated.update(training_batch(1))
    before = weights(updated)
    rows = [spoil(row) if index == 5 else row for index, row in enumerate(ROWS)]
    with pytest.raises(
        TrainingError,
        match=r"the loss of step 2 is nan on groups \[[0-3, ]*2[0-3, ]*\]; no weights",
    ):
        updated.update(training_batch(2, rows))
    assert updated.version == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in updated.state_tensors())
    assert updated.update(training_batch(2, ROWS)).version == 2


def test_a_later_minibatch_ends_the_step_and_a_checkpoint_has_the_weights_before(
    policy: Path, tmp_path: Path
) -> None:
    updated = learner(policy, minibatches=4)
    updated.update(training_batch(1))
    updated.save(tmp_path / "step-000001", Progress(1, 2, ()))
    before = weights(updated)
    rows = [nan_teacher(row) if row.group_id == 2 else row for row in ROWS]
    with pytest.raises(
        TrainingError, match=r"the loss of step 2 is nan on groups \[2\]; .* minibatch 3 of 4"
    ):
        updated.update(training_batch(2, rows))
    assert updated.version == 1
    assert updated.restore(tmp_path / "step-000001") == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in updated.state_tensors())


def test_a_row_alone_in_its_micro_batch_is_the_only_one_named(policy: Path) -> None:
    longest = max(len(row.prompt_ids) + len(row.completion_ids) for row in ROWS)
    places = [
        index
        for index, row in enumerate(ROWS)
        if len(row.prompt_ids) + len(row.completion_ids) == longest
    ]
    rows = [nan_advantage(row) if index == places[-1] else row for index, row in enumerate(ROWS)]
    updated = learner(policy, micro_batch_tokens=longest)
    with pytest.raises(TrainingError, match=rf"on groups \[{ROWS[places[-1]].group_id}\];"):
        updated.update(training_batch(1, rows))


def test_a_gradient_that_is_not_finite_is_refused_too(policy: Path) -> None:
    updated = learner(policy)
    next(updated.model.parameters()).register_hook(lambda grad: grad * NAN)
    before = weights(updated)
    with pytest.raises(
        TrainingError, match=r"the gradient norm of step 1 is nan on groups \[0, 1, 2, 3\]"
    ):
        updated.update(training_batch(1))
    assert updated.version == 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in updated.state_tensors())


@pytest.mark.parametrize("step", [0, 1, 3])
def test_a_step_out_of_turn_is_refused(policy: Path, step: int) -> None:
    updated = learner(policy)
    updated.update(training_batch(1))
    with pytest.raises(TrainingError, match=f"step {step} came while the policy is at 1"):
        updated.update(training_batch(step))
    assert updated.version == 1


def test_a_row_over_the_token_budget_says_what_to_raise(policy: Path) -> None:
    with pytest.raises(SpecError, match=r"optimizer.micro_batch_tokens 4 is below one sequence of"):
        learner(policy, micro_batch_tokens=4).update(training_batch(1))
