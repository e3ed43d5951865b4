"""Folders that are there as long as somebody works in them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rkd_online.errors import ObjectStoreError
from rkd_online.locks import taken
from rkd_online.objects import held_folder
from rkd_online.objects.held_folder import HeldFolder, sweep


def names(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir())


def folder(base: Path, name: str) -> Path:
    (base / name / "deep").mkdir(parents=True)
    (base / name / "deep" / "file").write_text("content")
    return base / name


def test_the_last_of_its_holders_removes_it(tmp_path: Path) -> None:
    place = folder(tmp_path, "job-1.2")
    first, second = HeldFolder(place), HeldFolder(place)
    first.leave()
    assert names(tmp_path) == ["job-1.2", "job-1.2.lock"]
    second.leave()
    assert names(tmp_path) == []


def test_a_folder_without_holders_goes_and_what_was_never_held_stays(tmp_path: Path) -> None:
    living = HeldFolder(folder(tmp_path, "living"))
    folder(tmp_path, "dead")
    (tmp_path / "dead.lock").touch()
    folder(tmp_path, "other")
    sweep(tmp_path)
    assert names(tmp_path) == ["living", "living.lock", "other"]
    living.leave()
    sweep(tmp_path / "none")


def test_a_process_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    place = folder(tmp_path, "job-1.2")
    holding = (
        "import sys, pathlib, time\n"
        "from rkd_online.objects.held_folder import HeldFolder\n"
        "held = HeldFolder(pathlib.Path(sys.argv[1]))\n"
        "print('held', flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holding, str(place)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        sweep(tmp_path)
        assert names(tmp_path) == ["job-1.2", "job-1.2.lock"]
        process.send_signal(signal.SIGKILL)
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_who_comes_while_it_is_removed_waits_and_has_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, lock = tmp_path / "job-1.2", tmp_path / "job-1.2.lock"
    removing = lock.open("a")
    assert taken(removing)
    waits: list[float] = []

    def removed(seconds: float) -> None:
        waits.append(seconds)
        lock.unlink()
        removing.close()

    monkeypatch.setattr("rkd_online.objects.held_folder.time.sleep", removed)
    held = HeldFolder(place)
    assert len(waits) == 1
    sweep(tmp_path)
    assert names(tmp_path) == ["job-1.2.lock"]
    held.leave()


def test_who_removes_leaves_a_folder_that_is_held_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the opening of the old lock and its taking another process removed it, and a third
    one came."""
    place, lock = folder(tmp_path, "job-1.2"), tmp_path / "job-1.2.lock"
    lock.touch()
    held: list[HeldFolder] = []

    def late(handle: object) -> bool:
        lock.unlink()
        held.append(HeldFolder(place))
        return taken(handle)  # type: ignore[arg-type]

    monkeypatch.setattr(held_folder, "taken", late)
    sweep(tmp_path)
    assert names(tmp_path) == ["job-1.2", "job-1.2.lock"]
    monkeypatch.undo()
    held[0].leave()


def test_a_removal_that_does_not_end_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_folder, "WAIT_SECONDS", 0.1)
    with (tmp_path / "job-1.2.lock").open("a") as removing:
        assert taken(removing)
        with pytest.raises(
            ObjectStoreError, match=r"to remove what an earlier one left beside .*2"
        ):
            HeldFolder(tmp_path / "job-1.2")
