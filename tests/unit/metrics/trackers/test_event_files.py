"""What TensorBoard's own reader finds in the folder of a job."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rkd_online.metrics.trackers.backend import Ending, Outcome, Stamped, Unusable
from rkd_online.metrics.trackers.event_files import EventFiles
from tests.unit.metrics.trackers.backends import report


def attempt(folder: Path, steps: Iterable[int], reward: float, *, killed: bool = False) -> None:
    """Steps in portions of two; what is killed closes nothing."""
    files = EventFiles(folder)
    files.start()
    stamped = [Stamped(100.0 + step, report(step, **{"reward/mean": reward})) for step in steps]
    for start in range(0, len(stamped), 2):
        files.write(stamped[start : start + 2])
    if not killed:
        files.end(Ending(Outcome.FINISHED, ()))


def curve(folder: Path, name: str) -> list[tuple[int, float, float]]:
    found = EventAccumulator(str(folder))
    found.Reload()
    return [(one.step, one.value, one.wall_time) for one in found.Scalars(name)]


def test_a_step_is_there_under_its_names_with_its_time(tmp_path: Path) -> None:
    attempt(tmp_path / "new" / "folder", [1, 2, 3], 0.25)
    found = EventAccumulator(str(tmp_path / "new" / "folder"))
    found.Reload()
    assert found.Tags()["scalars"] == ["reward/mean", "timings/step", "staleness"]
    expected = [(1, 0.25, 101.0), (2, 0.25, 102.0), (3, 0.25, 103.0)]
    assert curve(tmp_path / "new" / "folder", "reward/mean") == expected
    assert [value for _, value, _ in curve(tmp_path / "new" / "folder", "timings/step")] == [
        0.5
    ] * 3


def test_a_job_is_one_curve_and_steps_that_are_done_again_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in metrics.jsonl: the last attempt that did a step, and nothing from behind it."""
    for number, (steps, reward) in enumerate([((1, 2, 3, 4, 5), 0.25), ((3, 4), 0.5)]):
        # The time is in the names of files, to a second.
        monkeypatch.setattr("time.time", lambda now=1000.0 + 60 * number: now)
        attempt(tmp_path, steps, reward, killed=not number)
    assert len(list(tmp_path.iterdir())) == 2
    found = [(step, value) for step, value, _ in curve(tmp_path, "reward/mean")]
    assert found == [(1, 0.25), (2, 0.25), (3, 0.5), (4, 0.5)]


def test_an_attempt_without_a_step_leaves_no_file(tmp_path: Path) -> None:
    attempt(tmp_path, [], 0.0)
    assert list(tmp_path.iterdir()) == []


def test_after_an_error_steps_are_written_to_a_new_file_and_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, stamped = EventFiles(tmp_path), [Stamped(1.0, report(step)) for step in (1, 2, 3)]
    files.start()
    files.write(stamped[:1])
    writer = files._writer
    assert writer is not None
    monkeypatch.setattr(writer, "flush", lambda: (_ for _ in ()).throw(OSError("disk is full")))
    with pytest.raises(OSError, match="disk is full"):
        files.write(stamped[1:])
    monkeypatch.setattr("time.time", lambda: 4e9)
    files.write(stamped[1:])
    files.end(Ending(Outcome.FINISHED, ()))
    assert len(list(tmp_path.iterdir())) == 2
    assert [step for step, _, _ in curve(tmp_path, "reward/mean")] == [1, 2, 3]


def test_a_folder_that_cannot_be_made_is_an_error_to_try_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = EventFiles(tmp_path / "file" / "below")
    files.start()
    with pytest.raises(OSError, match="Not a directory"):
        files.write([Stamped(1.0, report(1))])


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(Unusable, match=r"install rkd-online\[tensorboard\] there"):
        EventFiles(Path("unused")).start()
