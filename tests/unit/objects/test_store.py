"""One object at a time, in a folder as the store."""

from pathlib import Path

import pytest

from rkd_online.errors import ObjectStoreError
from rkd_online.objects.patience import Patience
from rkd_online.objects.store import CHUNK_BYTES, ObjectStore
from tests.unit.objects.stores import Failing, store


def broken(tmp_path: Path, times: float, seconds: float = 100.0) -> tuple[ObjectStore, list[float]]:
    """A store whose next calls fail, and the waits that it made."""
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)

    found = store(tmp_path, Patience(seconds, sleep=wait, clock=lambda: sum(waits)))
    found._files = Failing(found._files, times, "pipe_file", "cat_file", "put_file")
    return found, waits


def test_what_was_put_is_got_and_listed(tmp_path: Path) -> None:
    objects = store(tmp_path)
    (tmp_path / "a").write_bytes(b"abc")
    objects.put(tmp_path / "a", "runs/1/a")
    objects.write(b"de", "runs/1/deep/b")
    assert {name: one.bytes for name, one in objects.find("runs").items()} == {
        "runs/1/a": 3,
        "runs/1/deep/b": 2,
    }
    assert objects.find("runs/2") == {}
    assert objects.folders("runs/1") == ["deep"]
    assert objects.folders("runs/2") == []
    objects.get("runs/1/a", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"abc"
    assert objects.read("runs/1/deep/b") == b"de"
    objects.remove(["runs/1/a", "runs/1/gone"])
    assert list(objects.find("runs")) == ["runs/1/deep/b"]


def test_another_content_has_another_tag(tmp_path: Path) -> None:
    objects = store(tmp_path)
    objects.write(b"one", "a")
    before = objects.find("")["a"]
    objects.write(b"three", "a")
    assert objects.find("")["a"].tag != before.tag


def test_parts_of_an_object_are_read_by_themselves(tmp_path: Path) -> None:
    objects = store(tmp_path)
    content = bytes(range(256)) * (CHUNK_BYTES // 256 + 1)
    objects.write(content, "a")
    parts = list(objects.chunks("a", 10, len(content)))
    assert [len(part) for part in parts] == [CHUNK_BYTES, 246]
    assert b"".join(parts) == content[10:]
    with pytest.raises(ObjectStoreError, match=r"reading a of .*: bytes \d+ to \d+ are 256 bytes"):
        list(objects.chunks("a", len(content) - 256, len(content) + 1))


def test_what_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    objects, waits = broken(tmp_path, 0)
    with pytest.raises(FileNotFoundError):
        objects.read("a")
    assert waits == []


def test_a_call_that_fails_is_tried_again_with_longer_waits(tmp_path: Path) -> None:
    objects, waits = broken(tmp_path, 3)
    objects.write(b"abc", "a")
    assert waits == [0.5, 1.0, 2.0]
    assert objects.read("a") == b"abc"


def test_a_store_that_fails_for_good_is_named_with_the_last_error(tmp_path: Path) -> None:
    objects, waits = broken(tmp_path, float("inf"), seconds=20.0)
    with pytest.raises(
        ObjectStoreError,
        match=r"writing runs/1/a of file:///.*: failed for 16 s, at last with ConnectionError: the "
        "line is dead",
    ):
        objects.write(b"abc", "runs/1/a")
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_a_refusal_is_not_tried_again(tmp_path: Path) -> None:
    objects, waits = broken(tmp_path, 0)

    def refuse(path: str) -> bytes:
        raise PermissionError("Access Denied")

    objects._files.cat_file = refuse
    with pytest.raises(
        ObjectStoreError, match=r"reading a of .*: the store refuses: Access Denied"
    ):
        objects.read("a")
    assert waits == []


def test_a_file_that_is_being_written_is_not_listed(tmp_path: Path) -> None:
    objects = store(tmp_path)
    objects.write(b"abc", "a/whole")
    (tmp_path / "bucket" / "prefix" / "a" / ".half.partial").write_bytes(b"a")
    assert list(objects.find("a")) == ["a/whole"]
