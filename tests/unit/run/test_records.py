from pathlib import Path

import pytest

from rkd_online.run.records import RunFolder, data_dir, write_whole


def checkpoint(folder: RunFolder, attempt: int, step: int, *, whole: bool = True) -> Path:
    path = folder.attempt(attempt).checkpoints / f"step-{step:06d}"
    path.mkdir(parents=True)
    if whole:
        (path / "manifest.json").write_text("{}")
    return path


def test_the_data_folder_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RKD_DATA_DIR", raising=False)
    assert data_dir() == tmp_path / ".rkd"
    monkeypatch.setenv("RKD_DATA_DIR", "elsewhere")
    assert data_dir() == tmp_path / "elsewhere"
    assert data_dir(Path("given")) == tmp_path / "given"


def test_records_of_a_job_lie_where_the_documentation_says(tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, "job-1")
    assert folder.spec == tmp_path / "runs" / "job-1" / "spec.json"
    assert folder.report == tmp_path / "runs" / "job-1" / "report.json"
    assert folder.attempt(2).metrics == folder.path / "attempts" / "2" / "metrics.jsonl"


def test_attempts_are_ordered_by_number_not_by_name(tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, "job-1")
    for number in (10, 9, 1):
        folder.attempt(number).path.mkdir(parents=True)
    assert [int(one.path.name) for one in folder.attempts()] == [1, 9, 10]


def test_the_newest_whole_checkpoint_of_the_newest_attempt_is_resumed(tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, "job-1")
    assert folder.latest_checkpoint() is None
    checkpoint(folder, 1, 0)
    assert folder.latest_checkpoint() is None
    older = checkpoint(folder, 1, 20)
    checkpoint(folder, 1, 40, whole=False)
    folder.attempt(2).path.mkdir()
    assert folder.latest_checkpoint() == older
    newer = checkpoint(folder, 2, 40)
    assert folder.latest_checkpoint() == newer


def test_a_checkpoint_is_the_newest_by_its_number_whatever_else_lies_there(tmp_path: Path) -> None:
    folder = RunFolder.of(tmp_path, "job-1")
    checkpoint(folder, 1, 999_999)
    newest = checkpoint(folder, 1, 1_000_000)
    (newest.with_name("step-copy")).mkdir()
    (newest.with_name("step-copy") / "manifest.json").write_text("{}")
    assert folder.latest_checkpoint() == newest
    assert list(folder.checkpoints()) == [999_999, 1_000_000]


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "report.json"
    write_whole(path, "old")
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]
