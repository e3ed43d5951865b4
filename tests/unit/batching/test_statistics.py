import pytest

from rkd_online.batching.statistics import FAILED, batch_metrics, part_metrics
from rkd_online.types import UnjudgedRollout
from tests.unit.batching.scored import group, scored

NO_FAILURE = dict.fromkeys(FAILED.values(), 0.0)


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
            "teacher/agreement": 0.5,  # The teacher finds every token equally likelier.
            "reward/std": (0.5 / 4) ** 0.5,
            "reward/correct_share": 0.5,
            "reward/no_signal_share": 0.5,
            "rollout/completion_length": 5.0,
            "rollout/truncated_share": 0.25,
        }
        | NO_FAILURE
    )


def test_rollouts_that_could_not_be_judged_are_counted_by_cause_and_have_no_reward() -> None:
    """Their completions are lengths like others; a group with one reward left has no signal."""
    lost = scored(9.0, length=8, finish="length").rollout
    timeout = UnjudgedRollout(lost, "timeout", "verifier: no verdict within 10 s", None)
    crash = UnjudgedRollout(lost, "crash", "own: the judging process ended", None)
    groups = [
        group(0, scored(1.0, correctness=1.0, length=4), timeout, timeout),
        group(1, scored(0.0, length=4), crash, scored(0.5, length=8)),
        group(2, timeout),
    ]
    assert batch_metrics(groups, correct_at=1.0) == pytest.approx(
        {
            "reward/mean": 0.5,
            "reward/std": (0.5 / 3) ** 0.5,
            "reward/correct_share": 1 / 3,
            "reward/no_signal_share": 2 / 3,
            "rollout/completion_length": 48 / 7,
            "rollout/truncated_share": 4 / 7,
        }
        | NO_FAILURE
        | {"reward/failed_timeout": 3.0, "reward/failed_crash": 1.0}
    )


def test_rewards_of_the_parts_of_a_mixture_are_those_of_their_own_groups() -> None:
    lost = UnjudgedRollout(scored(9.0).rollout, "timeout", "verifier: no verdict", None)
    groups = [
        group(0, scored(1.0, correctness=1.0), scored(0.0), task="short"),
        group(1, scored(0.25), scored(0.75, correctness=1.0), task="long"),
        group(2, scored(0.5), lost, task="long"),
        group(3, lost, task="odd"),
    ]
    assert part_metrics(groups, ["short", "long", "odd", "rare"], correct_at=1.0) == {
        "reward/mean/short": 0.5,
        "reward/correct_share/short": 0.5,
        "sampler/kl_teacher/short": -0.25,
        "teacher/agreement/short": 0.5,
        "reward/mean/long": 0.5,
        "reward/correct_share/long": 1 / 3,
        "sampler/kl_teacher/long": -0.25,
        "teacher/agreement/long": 0.5,
    }
