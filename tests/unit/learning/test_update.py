"""What one step does, against the same step derived from a plain forward of each row."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.learning.learner import PolicyLearner
from rkd_online.models.load import load_causal_lm
from rkd_online.spec.algorithm import Rlad
from rkd_online.spec.phases import Annealing, Phase
from rkd_online.types import TrainingRow, Turn
from tests.unit.learning.training import (
    SMOOTH,
    WIDE,
    learner,
    plain_logprobs,
    plain_loss,
    training_batch,
    training_rows,
    weights,
)

ROWS = training_rows(0)
LONGEST = max(len(row.prompt_ids) + len(row.completion_ids) for row in ROWS)
UNCLIPPED = Rlad(clip_low=0.99, clip_high=100.0)


def gradients(policy: PolicyLearner) -> dict[str, Tensor]:
    found = {}
    for name, parameter in policy.model.named_parameters():
        assert parameter.grad is not None
        found[name] = parameter.grad.clone()
    return found


@pytest.mark.parametrize("budget", [LONGEST, 2 * LONGEST, 3 * LONGEST + 1, 16_384])
@pytest.mark.parametrize(("algorithm", "alpha"), [(UNCLIPPED, 0.5), (WIDE, 1.0)])
def test_the_gradient_is_the_whole_batchs_for_every_token_budget(
    policy: Path, budget: int, algorithm: Rlad, alpha: float
) -> None:
    updated = learner(policy, algorithm, micro_batch_tokens=budget, max_gradient_norm=1.0)
    result = updated.update(training_batch(1, ROWS))
    model = load_causal_lm(policy)
    old = [plain_logprobs(model, row).detach() for row in ROWS]
    loss = plain_loss(model, ROWS, old, alpha=alpha)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    found = gradients(updated)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=0, atol=1e-6)
    assert max(float(gradient.abs().max()) for gradient in found.values()) > 1e-2
    assert result.metrics["optimizer/gradient_norm"] == pytest.approx(float(norm), rel=1e-5)
    assert result.metrics["policy/loss"] == pytest.approx(float(loss.detach()), abs=1e-6)


def test_gradients_are_scaled_down_to_the_largest_norm(policy: Path) -> None:
    free, held = learner(policy), learner(policy, max_gradient_norm=0.01)
    norm = free.update(training_batch(1)).metrics["optimizer/gradient_norm"]
    assert held.update(training_batch(1)).metrics["optimizer/gradient_norm"] == norm > 0.01
    left = torch.nn.utils.get_total_norm(list(gradients(held).values()))
    assert float(left) == pytest.approx(0.01, rel=1e-3)


def test_in_one_pass_the_old_policy_is_the_policy(policy: Path) -> None:
    result = learner(policy, WIDE).update(training_batch(1, ROWS))
    model = load_causal_lm(policy)
    with torch.no_grad():
        for found, row in zip(result.old_logprobs, ROWS, strict=True):
            assert found.tolist() == pytest.approx(plain_logprobs(model, row).tolist(), abs=1e-5)
    # At ratio 1 each token's surrogate is its row's advantage, times the token's weight.
    by_hand = -sum(row.advantage * float(weight.mean()) for row, weight in weighed(model)) / 8
    assert len(ROWS) == 8
    assert result.metrics["policy/loss"] == pytest.approx(by_hand, abs=1e-6)
    assert result.metrics["policy/ratio_mean"] == pytest.approx(1.0, abs=1e-6)
    assert result.metrics["policy/kl_old_k1"] == pytest.approx(0.0, abs=1e-6)


def weighed(model: PreTrainedModel) -> list[tuple[TrainingRow, torch.Tensor]]:
    """Each row with pi(old) / pi(sampler) of its tokens, at most 2."""
    with torch.no_grad():
        ratios = [
            (plain_logprobs(model, row) - torch.tensor(row.sampler_logprobs)).exp() for row in ROWS
        ]
    return [(row, ratio.clamp(max=2.0)) for row, ratio in zip(ROWS, ratios, strict=True)]


def test_tokens_of_another_sampler_weigh_less_and_those_capped_are_counted(policy: Path) -> None:
    metrics = learner(policy, WIDE).update(training_batch(1, ROWS)).metrics
    found = [weight for _, weight in weighed(load_causal_lm(policy))]
    mean = sum(float(weight.mean()) for weight in found) / len(ROWS)
    capped = sum(float((weight == 2.0).float().mean()) for weight in found) / len(ROWS)
    assert metrics["sampler/weight_mean"] == pytest.approx(mean, abs=1e-5)
    assert metrics["sampler/capped_share"] == pytest.approx(capped, abs=1e-6)
    assert 0.05 < capped < 0.95


def test_entropy_and_the_distance_from_the_sampler_are_means_of_row_means(policy: Path) -> None:
    metrics = learner(policy, micro_batch_tokens=LONGEST).update(training_batch(1, ROWS)).metrics
    model = load_causal_lm(policy)
    entropies, gaps = [], []
    with torch.no_grad():
        for row in ROWS:
            ids = torch.tensor([[*row.prompt_ids, *row.completion_ids]])
            chances = (model(input_ids=ids).logits[0, len(row.prompt_ids) - 1 : -1] / 0.7).softmax(
                -1
            )
            entropies.append(float(-(chances * chances.log()).sum(-1).mean()))
            gaps.append((plain_logprobs(model, row) - torch.tensor(row.sampler_logprobs)).abs())
    assert metrics["policy/entropy"] == pytest.approx(sum(entropies) / len(ROWS), abs=1e-5)
    mean = sum(float(gap.mean()) for gap in gaps) / len(ROWS)
    assert metrics["sampler/mismatch_mean"] == pytest.approx(mean, abs=1e-5)
    largest = max(float(gap.max()) for gap in gaps)
    assert metrics["sampler/mismatch_max"] == pytest.approx(largest, abs=1e-5)


@pytest.mark.parametrize(("epochs", "minibatches"), [(2, 1), (1, 2), (2, 2)])
def test_the_old_policy_is_that_before_the_first_of_several_steps(
    policy: Path, epochs: int, minibatches: int
) -> None:
    updated = learner(policy, WIDE, epochs=epochs, minibatches=minibatches)
    result = updated.update(training_batch(1, ROWS))
    model = load_causal_lm(policy)
    adam = torch.optim.AdamW(
        model.parameters(), lr=SMOOTH["learning_rate"], eps=SMOOTH["epsilon"], weight_decay=0.0
    )
    old = [plain_logprobs(model, row).detach() for row in ROWS]
    size, losses, ratios = len(ROWS) // minibatches, [], []
    for start in [*range(0, len(ROWS), size)] * epochs:
        share, before = ROWS[start : start + size], old[start : start + size]
        adam.zero_grad()
        loss = plain_loss(model, share, before, alpha=1.0)
        with torch.no_grad():
            pairs = zip(share, before, strict=True)
            means = [(plain_logprobs(model, row) - was).exp().mean() for row, was in pairs]
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
        ratios.append(float(torch.stack(means).mean()))
    assert abs(ratios[0] - 1) < 1e-6 < 1e-3 < abs(ratios[-1] - 1)
    assert result.metrics["policy/loss"] == pytest.approx(sum(losses) / len(losses), abs=1e-5)
    assert result.metrics["policy/ratio_mean"] == pytest.approx(sum(ratios) / len(ratios), abs=1e-5)
    for found, was in zip(result.old_logprobs, old, strict=True):
        assert found.tolist() == pytest.approx(was.tolist(), abs=1e-5)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(
            dict(updated.state_tensors())[name], parameter.detach(), rtol=0, atol=1e-5
        )


def test_the_largest_distance_from_the_sampler_is_that_of_all_minibatches(policy: Path) -> None:
    found = [
        learner(policy, minibatches=count).update(training_batch(1, ROWS)).metrics
        for count in (1, 2, 4)
    ]
    assert len({one["sampler/mismatch_max"] for one in found}) == 1
    assert len({one["policy/entropy"] for one in found}) == 3


def test_the_rate_of_each_step_is_reported(policy: Path) -> None:
    warm = learner(policy, schedule={"type": "constant", "warmup_steps": 2}, learning_rate=1e-3)
    rates = [
        warm.update(training_batch(step)).metrics["optimizer/learning_rate"] for step in (1, 2)
    ]
    assert rates == [5e-4, 1e-3]


def test_a_step_at_half_the_rate_moves_the_weights_half_as_far(policy: Path) -> None:
    start = dict(learner(policy).state_tensors())
    moved = []
    for warmup in (1, 2):
        warm = learner(policy, schedule={"type": "constant", "warmup_steps": warmup})
        warm.update(training_batch(1))
        moved.append({name: tensor - start[name] for name, tensor in warm.state_tensors()})
    assert max(float(tensor.abs().max()) for tensor in moved[0].values()) > 1e-4
    for name, tensor in moved[0].items():
        torch.testing.assert_close(moved[1][name], tensor / 2, rtol=0, atol=1e-6)


def test_a_step_learns_by_the_algorithm_of_its_turn(policy: Path) -> None:
    """The second phase moves alpha from 0.5 to 1, which is GRPO, and learns at twice the rate."""
    moving = Phase(
        algorithm=Rlad(), anneal={"alpha": Annealing(to=1, steps=2)}, learning_rate_factor=2
    )
    phases = [Phase(algorithm=WIDE), moving]
    batch = training_batch(1, ROWS)
    for turn, alone, rate in (
        (Turn(0, 0), WIDE, 3e-4),
        (Turn(1, 0), Rlad(alpha=0.5), 6e-4),
        (Turn(1, 1), Rlad(alpha=0.75), 6e-4),
        (Turn(1, 2), Rlad(alpha=1), 6e-4),
    ):
        found = learner(policy, phases=phases).update(replace(batch, turn=turn))
        expected = learner(policy, alone, learning_rate=rate).update(batch)
        assert found.metrics == expected.metrics


def test_a_step_with_nothing_to_learn_from_leaves_the_weights_as_they_are(policy: Path) -> None:
    idle = learner(policy)
    before = weights(idle)
    result = idle.update(training_batch(1, []))
    assert (result.version, result.metrics) == (1, {"optimizer/learning_rate": 3e-4})
    assert all(torch.equal(tensor, before[name]) for name, tensor in idle.state_tensors())
