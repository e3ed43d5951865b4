"""What the loss reports about an update, and that the catalogue covers the spec."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from rkd_online.objectives import METRIC_NAMES, policy_loss
from rkd_online.objectives.catalogue import METHODS
from rkd_online.spec import Algorithm, Grpo, Rlad

CLAMP = {"policy/clamp_low_share", "policy/clamp_high_share"}
KL_TEACHER = "policy/kl_teacher"
MODELS = {"policy/kl_reference", "teacher/divergence", "teacher/top_k_mass"}
"""Of a reference, and of the teacher's whole distribution."""

# Two sequences: four tokens with A = 1, one with A = -1; as probabilities.
POLICY = [[0.5, 0.5, 0.5, 0.1], [0.2, 0.9, 0.9, 0.9]]
OLD = [[0.5, 0.4, 0.25, 0.2], [0.4, 0.9, 0.9, 0.9]]
TEACHER = [[0.5, 0.1, 0.8, 0.5], [0.1, 0.9, 0.9, 0.9]]
MASK = [[1, 1, 1, 1], [1, 0, 0, 0]]


def logs(probabilities: list[list[float]]) -> Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def report(algorithm: Algorithm, teacher: Tensor | None) -> dict[str, float]:
    _, metrics = policy_loss(
        logs(POLICY),
        old_logprobs=logs(OLD),
        teacher_logprobs=teacher,
        advantages=torch.tensor([1.0, -1.0], dtype=torch.float64),
        mask=torch.tensor(MASK),
        algorithm=algorithm,
    )
    return {name: float(value) for name, value in metrics.items()}


def mean_of(tokens: list[float], lonely: float) -> float:
    """The sequence of four tokens and the sequence of one weigh the same."""
    return (sum(tokens) / 4 + lonely) / 2


def test_grpo_metrics_by_hand() -> None:
    # p/o: 1, 1.25, 2, 0.5 with A = 1: only 2 is above 1.28. 0.5 with A = -1: below 0.8.
    ratios = [1.0, 1.25, 2.0, 0.5]
    assert report(Grpo(), logs(TEACHER)) == pytest.approx(
        {
            "policy/ratio_mean": mean_of(ratios, 0.5),
            "policy/clip_low_share": mean_of([0, 0, 0, 0], 1),
            "policy/clip_high_share": mean_of([0, 0, 1, 0], 0),
            "policy/kl_old_k1": mean_of([-math.log(r) for r in ratios], math.log(2)),
            "policy/kl_old_k3": mean_of(
                [r - 1 - math.log(r) for r in ratios], 0.5 - 1 + math.log(2)
            ),
            # p/t: 1, 5, 0.625, 0.2; and 2.
            "policy/kl_teacher": mean_of([math.log(x) for x in (1, 5, 0.625, 0.2)], math.log(2)),
            "policy/nll": mean_of([-math.log(p) for p in POLICY[0]], -math.log(0.2)),
        },
        rel=1e-14,
    )


def test_rlad_metrics_by_hand() -> None:
    # rho = sqrt(p/o * p/t), p/t clamped to [1/e, e]: 5 (log 1.61) and 0.2 (log -1.61) are, 2 (log
    # 0.69) is not. sqrt(1), sqrt(1.25 e) = 1.84 clipped, sqrt(2 * 0.625) = 1.12,
    # sqrt(0.5 / e) = 0.43 kept; and sqrt(0.5 * 2) = 1 with A = -1.
    ratios = [1.0, math.sqrt(1.25 * math.e), math.sqrt(1.25), math.sqrt(0.5 / math.e)]
    metrics = report(Rlad(), logs(TEACHER))
    assert metrics["policy/ratio_mean"] == pytest.approx(mean_of(ratios, 1.0), rel=1e-14)
    assert metrics["policy/clip_low_share"] == 0.0
    assert metrics["policy/clip_high_share"] == mean_of([0, 1, 0, 0], 0)
    assert metrics["policy/clamp_low_share"] == mean_of([0, 0, 0, 1], 0)
    assert metrics["policy/clamp_high_share"] == mean_of([0, 1, 0, 0], 0)


def test_each_method_reports_the_metrics_that_it_has() -> None:
    every = set(METRIC_NAMES) - MODELS
    assert len(every) == len(METRIC_NAMES) - len(MODELS)
    assert set(report(Rlad(), logs(TEACHER))) == every
    assert set(report(Grpo(), logs(TEACHER))) == every - CLAMP
    assert set(report(Grpo(), None)) == every - CLAMP - {KL_TEACHER}


def test_every_algorithm_of_the_spec_has_its_row_and_the_offline_baseline_too() -> None:
    union, _ = get_args(Algorithm)
    assert set(METHODS) == {kind().type for kind in get_args(union)} | {"sft"}
