"""Files that grow line by line, in segments of 10 bytes."""

from pathlib import Path

import pytest

from rkd_online.errors import ObjectStoreError
from rkd_online.objects import segments
from rkd_online.objects.job import JobObjects
from rkd_online.objects.segments import put_grown
from tests.unit.objects.stores import break_, node


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 10)


def test_only_what_has_grown_is_stored_again(tmp_path: Path) -> None:
    here = node(tmp_path, "a")
    here.folder.mkdir(parents=True)
    file = here.here("m.jsonl")
    file.write_bytes(b"0123456789abcde")
    size = put_grown(here.store, file, here.name("m.jsonl"), 0)
    counting = break_(here, 0, "pipe_file")
    file.write_bytes(b"0123456789abcdefghijklmnop")
    assert (size, put_grown(here.store, file, here.name("m.jsonl"), size)) == (15, 26)
    assert counting.calls == 2  # the second segment again and the third
    assert [one.bytes for one in here.find("m.jsonl").values()] == [10, 10, 6]


def test_another_node_reads_the_file_and_later_only_what_is_new(tmp_path: Path) -> None:
    here, there = node(tmp_path, "a"), node(tmp_path, "b")
    here.folder.mkdir(parents=True)
    file = here.here("m.jsonl")
    assert not there.pull_grown("m.jsonl").exists()
    file.write_bytes(b"0123456789abcde")
    size = put_grown(here.store, file, here.name("m.jsonl"), 0)
    assert there.pull_grown("m.jsonl").read_bytes() == b"0123456789abcde"
    file.write_bytes(b"0123456789abcdefghijklmnop")
    put_grown(here.store, file, here.name("m.jsonl"), size)
    counting = break_(there, 0, "cat_file")
    assert there.pull_grown("m.jsonl").read_bytes() == b"0123456789abcdefghijklmnop"
    assert counting.calls == 2


def test_a_longer_file_that_lies_there_is_replaced(tmp_path: Path) -> None:
    here, there = node(tmp_path, "a"), node(tmp_path, "b")
    here.folder.mkdir(parents=True)
    here.here("m.jsonl").write_bytes(b"0123456789abcde")
    put_grown(here.store, here.here("m.jsonl"), here.name("m.jsonl"), 0)
    there.folder.mkdir(parents=True)
    there.here("m.jsonl").write_bytes(b"of another attempt")
    assert there.pull_grown("m.jsonl").read_bytes() == b"0123456789abcde"


def grown_behind_its_copy(here: JobObjects, there: JobObjects) -> Path:
    """The copy on another node of a file that has more by now."""
    here.folder.mkdir(parents=True)
    file = here.here("m.jsonl")
    file.write_bytes(b"0123456789abcde")
    size = put_grown(here.store, file, here.name("m.jsonl"), 0)
    cached = there.pull_grown("m.jsonl")
    file.write_bytes(b"0123456789abcdefghijklmnop")
    put_grown(here.store, file, here.name("m.jsonl"), size)
    return cached


def test_who_reads_while_it_grows_has_the_file_of_before(tmp_path: Path) -> None:
    here, there = node(tmp_path, "a"), node(tmp_path, "b")
    cached = grown_behind_its_copy(here, there)
    read, seen = there.store.read, []

    def reading(name: str) -> bytes:
        seen.append(cached.read_bytes())
        return read(name)

    there.store.read = reading  # type: ignore[method-assign]
    with cached.open("rb") as opened:
        there.pull_grown("m.jsonl")
        assert opened.read() == b"0123456789abcde"
    assert seen == [b"0123456789abcde", b"0123456789abcde"]
    assert cached.read_bytes() == b"0123456789abcdefghijklmnop"


def test_a_read_that_fails_leaves_the_file_of_before(tmp_path: Path) -> None:
    here, there = node(tmp_path, "a"), node(tmp_path, "b")
    cached = grown_behind_its_copy(here, there)
    break_(there, float("inf"), "cat_file")
    with pytest.raises(ObjectStoreError):
        there.pull_grown("m.jsonl")
    assert cached.read_bytes() == b"0123456789abcde"
    assert list(there.folder.iterdir()) == [cached]
