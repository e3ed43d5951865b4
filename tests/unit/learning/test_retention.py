from pathlib import Path

import pytest

from rkd_online.learning.retention import prune


@pytest.mark.parametrize(
    ("keep", "best", "left"),
    [
        (2, 20, [0, 20, 40, 50]),
        (2, 0, [0, 40, 50]),
        (1, 50, [0, 50]),
        (9, 10, [0, 10, 20, 30, 40, 50]),
    ],
)
def test_step_0_the_newest_and_the_best_stay(
    tmp_path: Path, keep: int, best: int, left: list[int]
) -> None:
    for step in range(0, 60, 10):
        (tmp_path / f"step-{step:06d}" / "state").mkdir(parents=True)
    prune(tmp_path, keep=keep, best=best)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"step-{step:06d}" for step in left]


def test_steps_are_ordered_as_numbers(tmp_path: Path) -> None:
    for step in (999_999, 1_000_000, 5):
        (tmp_path / f"step-{step:06d}").mkdir()
    prune(tmp_path, keep=1, best=0)
    assert [path.name for path in tmp_path.iterdir()] == ["step-1000000"]
