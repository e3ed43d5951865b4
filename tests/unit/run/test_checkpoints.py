"""Which checkpoints an attempt announces and keeps, and from which a run goes on."""

import asyncio
from pathlib import Path

import pytest

from rkd_online.errors import CheckpointError
from rkd_online.files import step_name
from rkd_online.run.checkpoints import CheckpointKeeper, named_checkpoints
from rkd_online.run.records import RunFolder
from rkd_online.spec.training import CheckpointSpec
from rkd_online.types import Progress, StepReport


class FakeLearner:
    """Writes a folder with a manifest, or meets a full disk."""

    def __init__(self) -> None:
        self.disk_full = False

    async def save(self, folder: Path, progress: Progress) -> None:
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
            self.sink,
        )

    def run_steps(self, *values: float | None, metric: str = "reward/mean") -> None:
        """Steps from 1 on whose reports hold these values, a checkpoint after every second."""
        asyncio.run(self.keeper.save(Progress(0, 0, ())))
        for step, value in enumerate(values, start=1):
            metrics = {} if value is None else {metric: value}
            self.keeper.report(StepReport(step, step, 0, {}, metrics))
            if step % 2 == 0:
                asyncio.run(self.keeper.save(Progress(step, 0, ())))

    def kept(self) -> list[int]:
        return sorted(int(path.name.removeprefix("step-")) for path in self.folder.iterdir())


def test_step_0_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, CheckpointSpec(keep=2))
    attempt.run_steps(0.1, 0.2, 0.3, 0.4, 0.9, 0.5, 0.6, 0.7, 0.8, 0.7)
    assert attempt.kept() == [0, 4, 8, 10]


def test_a_reward_is_that_of_the_version_which_sampled(tmp_path: Path) -> None:
    """Step 4 samples with version 3 and ruins the policy, as step 5 shows."""
    attempt = Attempt(tmp_path, CheckpointSpec(keep=1))
    attempt.run_steps(0.1, 0.2, 0.3, 0.9, 0.1, 0.1, 0.1, 0.1)
    assert attempt.kept() == [0, 2, 8]


def test_validation_is_of_the_version_that_the_step_made(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, CheckpointSpec(keep=1, best_metric="validation/pass_at_1"))
    attempt.run_steps(None, 0.3, None, 0.9, None, 0.5, None, 0.4, metric="validation/pass_at_1")
    assert attempt.kept() == [0, 4, 8]


def test_of_equal_checkpoints_the_first_is_the_best(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, CheckpointSpec(keep=1))
    attempt.run_steps(0.1, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1)
    assert attempt.kept() == [0, 2, 8]


def test_a_step_at_which_the_metric_was_not_measured_is_not_the_best(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, CheckpointSpec(keep=1, best_metric="validation/pass_at_1"))
    attempt.run_steps(None, None, None, None, metric="validation/pass_at_1")
    assert attempt.kept() == [0, 4]


def test_a_finished_run_names_its_last_and_its_best_checkpoint(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    whole(run, 1, "step-000002")
    whole(run, 1, "step-000004")
    whole(run, 2, "step-000004")
    whole(run, 2, "step-000006")
    steps = [StepReport(n, n, 0, {}, {"reward/mean": 0.5 if n == 5 else 0.1}) for n in range(1, 7)]
    named = named_checkpoints(run, steps, CheckpointSpec())
    assert (named.last, named.best, named.best_by) == (
        "attempts/2/checkpoints/step-000006",
        "attempts/2/checkpoints/step-000004",
        "reward/mean",
    )


def test_every_checkpoint_is_announced_once_it_is_whole(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, CheckpointSpec(keep=1))
    attempt.run_steps(0.5, 0.5, 0.4, 0.4)
    assert attempt.sink.events == [
        ("checkpoint", {"step": step, "path": f"attempts/3/checkpoints/{step_name(step)}"})
        for step in (0, 2, 4)
    ]
    assert attempt.sink.whole == [True, True, True]


def test_a_checkpoint_that_fails_is_not_announced_and_costs_no_other(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, CheckpointSpec(keep=1))
    attempt.run_steps(0.5, 0.5)
    attempt.learner.disk_full = True
    with pytest.raises(CheckpointError):
        asyncio.run(attempt.keeper.save(Progress(4, 0, ())))
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
