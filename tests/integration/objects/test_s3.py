"""An object store behind a real S3 API, on loopback."""

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rkd_online.errors import CheckpointError, ObjectStoreError
from rkd_online.objects.checkpoints import CheckpointCopies
from rkd_online.objects.job import JobObjects
from rkd_online.objects.patience import Patience
from rkd_online.objects.segments import put_grown
from rkd_online.objects.store import ObjectStore
from tests.s3 import S3, s3_server

CHECKPOINT = Path("attempts/1/checkpoints/step-000002")
LARGE = 120 << 20
"""s3fs sends this in parts."""


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _variables(server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)


def node(server: S3, folder: Path, job: str) -> JobObjects:
    return JobObjects(ObjectStore(server.address, Patience(2.0)), job, folder)


def written(objects: JobObjects, content: bytes) -> CheckpointCopies:
    place = objects.here(CHECKPOINT)
    place.mkdir(parents=True)
    (place / "model.safetensors").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    files = {"model.safetensors": {"bytes": len(content), "sha256": digest}}
    (place / "manifest.json").write_text(json.dumps({"files": files}))
    return CheckpointCopies(objects)


def test_objects_are_put_listed_read_and_removed(server: S3, tmp_path: Path) -> None:
    objects = node(server, tmp_path, "one")
    assert (objects.find(""), objects.attempts(), objects.seen("spec.json")) == ({}, [], None)
    with pytest.raises(FileNotFoundError):
        objects.pull("spec.json")
    objects.store.write(b"{}", objects.name("spec.json"))
    objects.store.write(b"abc", objects.name("attempts/2/setup.json"))
    objects.store.write(b"abcd", objects.name("attempts/10/setup.json"))
    assert objects.attempts() == [2, 10]
    assert {path: one.bytes for path, one in objects.find("").items()} == {
        "attempts/10/setup.json": 4,
        "attempts/2/setup.json": 3,
        "spec.json": 2,
    }
    assert objects.pull("spec.json").read_bytes() == b"{}"
    before = objects.seen("spec.json")
    objects.store.write(b"[]", objects.name("spec.json"))
    after = objects.seen("spec.json")
    assert before is not None and after is not None and before.tag != after.tag
    assert list(objects.store.chunks(objects.name("attempts/10/setup.json"), 1, 3)) == [b"bc"]
    objects.remove(["spec.json", "spec.json", "never"])
    assert "spec.json" not in objects.find("")
    assert server.names("some/prefix/runs/one/")[0] == "some/prefix/runs/one/attempts/10/setup.json"


def test_others_writes_are_seen_at_once(server: S3, tmp_path: Path) -> None:
    reader, writer = node(server, tmp_path / "a", "two"), node(server, tmp_path / "b", "two")
    assert reader.find("") == {}
    writer.store.write(b"1", writer.name("a"))
    assert list(reader.find("")) == ["a"]
    server.delete("some/prefix/runs/two/a")
    assert (reader.find(""), reader.seen("a")) == ({}, None)


def test_a_growing_file_is_read_as_far_as_it_was_written(server: S3, tmp_path: Path) -> None:
    writer, reader = node(server, tmp_path / "a", "three"), node(server, tmp_path / "b", "three")
    writer.folder.mkdir()
    file = writer.here("metrics.jsonl")
    size = 0
    for step in range(3):
        with file.open("a") as opened:
            opened.write(f"{step}" * 99_999 + "\n")
        size = put_grown(writer.store, file, writer.name("metrics.jsonl"), size)
        assert reader.pull_grown("metrics.jsonl").read_bytes() == file.read_bytes()
    assert len(reader.find("metrics.jsonl")) == 2


def test_a_large_checkpoint_reaches_another_node_whole(server: S3, tmp_path: Path) -> None:
    content = bytes(range(256)) * (LARGE // 256)
    written(node(server, tmp_path / "a", "four"), content).push(CHECKPOINT)
    place = CheckpointCopies(node(server, tmp_path / "b", "four")).pull(CHECKPOINT)
    assert (place / "model.safetensors").read_bytes() == content


def test_a_checkpoint_that_was_changed_or_lost_its_manifest_is_refused(
    server: S3, tmp_path: Path
) -> None:
    base = f"some/prefix/runs/five/{CHECKPOINT}"
    written(node(server, tmp_path / "a", "five"), b"weights").push(CHECKPOINT)
    server.put(f"{base}/model.safetensors", b"Weights")
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing or is not what was"):
        CheckpointCopies(node(server, tmp_path / "b", "five")).pull(CHECKPOINT)
    server.delete(f"{base}/manifest.json")
    with pytest.raises(CheckpointError, match=r"it has no manifest\.json"):
        CheckpointCopies(node(server, tmp_path / "c", "five")).pull(CHECKPOINT)


def test_a_bucket_that_is_not_there_is_named(server: S3, tmp_path: Path) -> None:
    store = ObjectStore("s3://another-bucket/x", Patience(0.0))
    with pytest.raises(ObjectStoreError, match=r"writing a of s3://another-bucket/x: .*bucket"):
        store.write(b"1", "a")


def test_a_server_that_is_gone_is_given_up_with_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server() as gone:
        for name, value in gone.variables.items():
            monkeypatch.setenv(name, value)
        store = ObjectStore(gone.address, Patience(1.0))
        store.write(b"1", "a")
    with pytest.raises(ObjectStoreError, match="writing b of s3://rkd/some/prefix: failed for"):
        store.write(b"1", "b")


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rkd_online.objects.store.READ_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        store = ObjectStore("s3://rkd/x", Patience(0.0))
        with pytest.raises(ObjectStoreError, match=r"listing runs of s3://rkd/x: failed for .*"):
            store.find("runs")
