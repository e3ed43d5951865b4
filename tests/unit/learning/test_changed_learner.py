"""A learner that goes on by other values than it began with."""

import asyncio
from pathlib import Path

import torch

from rkd_online.learning.learner import PolicyLearner
from rkd_online.learning.role import LearnerRole
from rkd_online.run.learners import LearnerRanks
from rkd_online.spec.algorithm import Rlad
from rkd_online.spec.load import parse_spec
from rkd_online.spec.phases import Phase
from rkd_online.spec.training import OptimizerSpec
from rkd_online.types import Progress, token_ids
from tests.unit.learning.training import SMOOTH, learner, training_batch, weights
from tests.unit.spec.job import job

LINEAR = {"type": "linear"}
TIGHT = Rlad(alpha=0.9, clip_low=0.01, clip_high=0.02)


def change(policy: PolicyLearner, algorithm: Rlad, rate: float, total_steps: int) -> None:
    policy.change(
        phases=[Phase(algorithm=algorithm)],
        optimizer=OptimizerSpec.model_validate(
            SMOOTH | {"schedule": LINEAR, "learning_rate": rate, "minibatches": 2}
        ),
        total_steps=total_steps,
    )


def test_the_rate_of_a_changed_learner_falls_to_the_new_last_step(policy: Path) -> None:
    """From 3e-4 over 6 steps to 8e-4 over 4."""
    changed = learner(policy, schedule=LINEAR)
    rates = [changed.update(training_batch(1)).metrics["optimizer/learning_rate"]]
    change(changed, Rlad(), 8e-4, total_steps=4)
    rates += [
        changed.update(training_batch(step)).metrics["optimizer/learning_rate"] for step in (2, 3)
    ]
    torch.testing.assert_close(rates, [3e-4 * 5 / 6, 8e-4 * 2 / 4, 8e-4 * 1 / 4])


def test_a_changed_learner_goes_on_as_one_that_began_with_the_change(
    policy: Path, tmp_path: Path
) -> None:
    """The other is built with the new values and restored: AdamW's moments are the old ones."""
    changed = learner(policy, schedule=LINEAR, minibatches=2)
    changed.update(training_batch(1))
    changed.save(tmp_path / "step-000001", Progress(1, 0, ()))
    change(changed, TIGHT, 8e-4, total_steps=6)
    resumed = learner(policy, TIGHT, schedule=LINEAR, learning_rate=8e-4, minibatches=2)
    resumed.restore(tmp_path / "step-000001")
    unchanged = learner(policy, schedule=LINEAR, minibatches=2)
    unchanged.restore(tmp_path / "step-000001")
    found, expected, other = (
        one.update(training_batch(2)) for one in (changed, resumed, unchanged)
    )
    assert found == expected
    assert found.metrics["policy/clip_high_share"] > other.metrics["policy/clip_high_share"]
    theirs = weights(resumed)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in weights(changed).items())


def test_every_rank_is_told_of_the_changed_job(policy: Path) -> None:
    roles = [LearnerRole(lambda: learner(policy), token_ids([1, 2])) for _ in range(2)]
    spec = parse_spec(job(optimizer={"learning_rate": 5e-4}, steps=9))

    async def run() -> list[float]:
        await LearnerRanks(roles).change(spec)
        found = [await role.update(training_batch(1)) for role in roles]
        for role in roles:
            await role.close()
        return [one.metrics["optimizer/learning_rate"] for one in found]

    assert asyncio.run(run()) == [5e-4, 5e-4]
