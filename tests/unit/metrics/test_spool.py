"""Lines that wait on disk."""

import os
from pathlib import Path

import pytest

from rkd_online.metrics import spool as module
from rkd_online.metrics.spool import Spool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "attempts" / "2" / "unsent.jsonl"


def filled(path: Path, *lines: bytes) -> Spool:
    spool = Spool(path)
    for line in lines:
        spool.add(line)
    return spool


def test_a_line_is_in_the_file_before_it_is_sent(path: Path) -> None:
    spool = filled(path, b"one", b"two")
    assert path.read_bytes() == b"one\ntwo\n"
    assert spool.first(10, 100) == spool.first(10, 100) == [b"one", b"two"]
    assert len(spool) == 2


@pytest.mark.parametrize(
    ("most", "size", "expected"),
    [(2, 100, 2), (9, 4, 1), (9, 7, 1), (9, 8, 2), (9, 11, 2), (9, 12, 3), (9, 3, 0)],
)
def test_a_batch_is_bounded_in_lines_and_bytes(
    path: Path, most: int, size: int, expected: int
) -> None:
    """Lines of three bytes, with one between."""
    spool = filled(path, b"one", b"two", b"six")
    assert spool.first(most, size) == [b"one", b"two", b"six"][:expected]


def test_what_is_dropped_leaves_the_file_when_nothing_waits(path: Path) -> None:
    spool = filled(path, b"one", b"two", b"six")
    spool.drop([b"one"])
    assert spool.first(10, 100) == [b"two", b"six"]
    spool.add(b"ten")
    spool.drop([b"two", b"six"])
    assert spool.first(10, 100) == [b"ten"]
    spool.drop([b"ten"])
    assert (len(spool), path.read_bytes()) == (0, b"")
    spool.add(b"new")
    assert path.read_bytes() == b"new\n"
    assert spool.first(10, 100) == [b"new"]


def test_at_the_end_the_file_has_what_waits_and_is_gone_where_nothing_does(path: Path) -> None:
    spool = filled(path, b"one", b"two", b"six")
    spool.drop([b"one"])
    spool.close()
    assert path.read_bytes() == b"two\nsix\n"
    assert list(path.parent.iterdir()) == [path]
    spool = filled(path, b"one")
    spool.drop([b"one"])
    spool.close()
    assert list(path.parent.iterdir()) == []


class FullDisk:
    """Takes so many bytes more."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._pwrite = os.pwrite

    def __call__(self, file: int, data: bytes, offset: int) -> int:
        if self.room == 0:
            raise OSError(28, "No space left on device")
        taken = data[: self.room]
        self.room -= len(taken)
        return self._pwrite(file, taken, offset)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    disk = FullDisk(6)
    monkeypatch.setattr("rkd_online.metrics.spool.os.pwrite", disk)
    return disk


def test_what_a_full_disk_does_not_take_waits_behind_what_it_took(
    path: Path, disk: FullDisk
) -> None:
    spool = filled(path, b"one", b"two", b"six")
    assert len(spool) == 3
    assert spool.first(10, 100) == [b"one"]
    spool.drop([b"one"])
    assert spool.first(10, 100) == [b"two", b"six"]
    disk.room = 100
    spool.add(b"ten")
    assert path.read_bytes() == b"two\nsix\nten\n"
    spool.drop([b"two", b"six"])
    assert spool.first(10, 100) == [b"ten"]


def test_memory_is_bounded_where_the_disk_is_full_and_the_last_line_is_kept(
    path: Path, disk: FullDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BESIDE", 3)
    disk.room = 0
    spool = filled(path, *(b"%d" % number for number in range(9)))
    assert spool.first(10, 100) == [b"0", b"1", b"8"]


def test_a_file_that_cannot_be_written_at_all_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "attempts").write_text("a file in the folder's place")
    spool = filled(tmp_path / "attempts" / "unsent.jsonl", b"one")
    assert spool.first(10, 100) == [b"one"]
    spool.drop([b"one"])
    assert len(spool) == 0
