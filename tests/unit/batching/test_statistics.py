import pytest

from rkd_online.batching.statistics import batch_metrics
from tests.unit.batching.scored import group, scored


def test_metrics_of_a_batch_by_hand() -> None:
    groups = [
        group(
            0,
            scored(1.0, correctness=1.0, length=4),
            scored(0.0, correctness=0.0, length=8, finish="length"),
        ),
        group(1, scored(0.5, correctness=0.5, length=3), scored(0.5, correctness=0.4, length=5)),
    ]
    assert batch_metrics(groups, correct_at=0.5) == pytest.approx(
        {
            "reward/mean": 0.5,
            "reward/std": (0.5 / 4) ** 0.5,
            "reward/correct_share": 0.5,
            "reward/no_signal_share": 0.5,
            "rollout/completion_length": 5.0,
            "rollout/truncated_share": 0.25,
        }
    )
