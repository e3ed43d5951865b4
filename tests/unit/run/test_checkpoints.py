"""Which checkpoints an attempt announces and keeps, and from which a run goes on."""

import asyncio
from pathlib import Path

import pytest

from rkd_online.errors import CheckpointError
from rkd_online.run.checkpoints import CheckpointKeeper, checkpoint_name
from rkd_online.run.records import RunFolder
from rkd_online.spec.training import CheckpointSpec
from rkd_online.types import StepReport


class FakeLearner:
    """Writes a folder with a manifest, or meets a full disk."""

    def __init__(self) -> None:
        self.disk_full = False

    async def save(self, folder: Path, progress: dict[str, int]) -> None:
        if self.disk_full:
            raise CheckpointError("the disk is full")
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(f"{progress}")


class EventSink:
    """Keeps events, each with whether its checkpoint was whole when it came."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self.events: list[tuple[str, dict[str, object]]] = []
        self.whole: list[bool] = []

    def report(self, report: StepReport) -> None: ...

    def event(self, type: str, data: dict[str, object]) -> None:
        self.events.append((type, data))
        self.whole.append((self._run.path / str(data["path"]) / "manifest.json").exists())

    def close(self) -> None: ...


class Attempt:
    """The third attempt of a run with a fake learner."""

    def __init__(self, path: Path, policy: CheckpointSpec) -> None:
        self.run = RunFolder(path)
        self.folder = self.run.attempt(3).checkpoints
        self.learner = FakeLearner()
        self.sink = EventSink(self.run)
        self.keeper = CheckpointKeeper(
            self.folder,
            self.learner,  # type: ignore[arg-type]
            policy,
            [self.sink],
        )

    def save(self, *values: float | None, metric: str = "reward/mean") -> None:
        """The checkpoint of step 0, then one after every second step with this metric."""
        asyncio.run(self.keeper.save(0, {}))
        for index, value in enumerate(values, start=1):
            metrics = {} if value is None else {metric: value}
            asyncio.run(self.keeper.save(2 * index, metrics))

    def kept(self) -> list[int]:
        return sorted(int(path.name.removeprefix("step-")) for path in self.folder.iterdir())


def test_step_0_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, CheckpointSpec(keep=2))
    attempt.save(0.1, 0.9, 0.5, 0.6, 0.7)
    assert attempt.kept() == [0, 4, 8, 10]


def test_of_equal_checkpoints_the_first_is_the_best(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, CheckpointSpec(keep=1))
    attempt.save(0.1, 0.9, 0.9, 0.6)
    assert attempt.kept() == [0, 4, 8]


def test_a_step_at_which_the_metric_was_not_measured_is_not_the_best(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, CheckpointSpec(keep=1, best_metric="validation/pass_at_1"))
    attempt.save(None, None, metric="validation/pass_at_1")
    assert attempt.kept() == [0, 4]


def test_every_checkpoint_is_announced_once_it_is_whole(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, CheckpointSpec(keep=1))
    attempt.save(0.5, 0.4)
    assert attempt.sink.events == [
        ("checkpoint", {"step": step, "path": f"attempts/3/checkpoints/{checkpoint_name(step)}"})
        for step in (0, 2, 4)
    ]
    assert attempt.sink.whole == [True, True, True]


def test_a_checkpoint_that_fails_is_not_announced_and_costs_no_other(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, CheckpointSpec(keep=1))
    attempt.save(0.5)
    attempt.learner.disk_full = True
    with pytest.raises(CheckpointError):
        asyncio.run(attempt.keeper.save(4, {"reward/mean": 0.9}))
    assert attempt.kept() == [0, 2]
    assert [data["step"] for _, data in attempt.sink.events] == [0, 2]


def whole(run: RunFolder, attempt: int, name: str) -> Path:
    path = run.attempt(attempt).checkpoints / name
    path.mkdir(parents=True)
    (path / "manifest.json").write_text("{}")
    return path


def test_a_folder_that_was_not_yet_renamed_or_has_no_manifest_is_not_resumed(
    tmp_path: Path,
) -> None:
    run = RunFolder(tmp_path)
    newest = whole(run, 1, "step-000020")
    whole(run, 1, ".step-000040.partial")
    (run.attempt(1).checkpoints / "step-000060").mkdir()
    assert run.latest_checkpoint() == newest


def test_an_attempt_that_saved_nothing_but_the_start_falls_back_to_the_one_before(
    tmp_path: Path,
) -> None:
    run = RunFolder(tmp_path)
    newest = whole(run, 1, "step-000020")
    run.attempt(2).path.mkdir(parents=True)
    whole(run, 3, "step-000000")
    assert run.latest_checkpoint() == newest
