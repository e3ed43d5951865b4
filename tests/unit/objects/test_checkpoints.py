"""Checkpoints from one node over the store to another."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rkd_online.errors import CheckpointError, ObjectStoreError
from rkd_online.objects.checkpoints import CheckpointCopies
from rkd_online.objects.job import JobObjects
from tests.unit.objects.stores import break_, node, noting

NAMED = Path("/of/the/driver/runs/job-1/attempts/1/checkpoints/step-000002")
STORED = "attempts/1/checkpoints/step-000002"
FILES = {"model.safetensors": b"weights" * 100, "state/optimizer.pt": b"moments" * 50}


def written(objects: JobObjects) -> CheckpointCopies:
    """A checkpoint as a learner writes it on its node."""
    copies = CheckpointCopies(objects)
    place = copies.here(NAMED)
    for name, content in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    recorded = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in FILES.items()
    }
    (place / "manifest.json").write_text(json.dumps({"files": recorded}))
    return copies


def stored(tmp_path: Path) -> Path:
    return tmp_path / "bucket" / "prefix" / "runs" / "job-1" / STORED


def test_another_node_has_it_whole_and_this_one_keeps_the_manifest(tmp_path: Path) -> None:
    copies = written(node(tmp_path, "a"))
    manifest = (copies.here(NAMED) / "manifest.json").read_bytes()
    copies.push(NAMED)
    assert [path.name for path in copies.here(NAMED).iterdir()] == ["manifest.json"]
    other = CheckpointCopies(node(tmp_path, "b"))
    place = other.pull(NAMED)
    assert place == tmp_path / "b" / "job-1" / STORED
    assert (place / "manifest.json").read_bytes() == manifest
    assert {name: (place / name).read_bytes() for name in FILES} == FILES
    other.drop()
    assert [path.name for path in place.iterdir()] == ["manifest.json"]
    assert {name: (other.pull(NAMED) / name).read_bytes() for name in FILES} == FILES


def test_the_manifest_is_stored_last_and_read_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = node(tmp_path, "a"), node(tmp_path, "b")
    names: list[str] = []
    monkeypatch.setattr(here.store, "put", noting(names, 0, here.store.put))
    written(here).push(NAMED)
    assert names == ["model.safetensors", "optimizer.pt", "manifest.json"]
    names.clear()
    files = break_(there, 0)
    monkeypatch.setattr(files, "cat_file", noted_read(names, files.cat_file), raising=False)
    monkeypatch.setattr(there.store, "get", noting(names, 0, there.store.get))
    CheckpointCopies(there).pull(NAMED)
    assert names == ["manifest.json", "model.safetensors", "optimizer.pt"]


def noted_read(names: list[str], read: Callable[[str], bytes]) -> Callable[[str], bytes]:
    def noted(path: str) -> bytes:
        names.append(Path(path).name)
        return read(path)

    return noted


def test_a_fault_that_passes_costs_nothing(tmp_path: Path) -> None:
    here, there = node(tmp_path, "a"), node(tmp_path, "b")
    copies = written(here)
    break_(here, 1, "put_file")
    copies.push(NAMED)
    break_(there, 1, "get_file")
    assert (CheckpointCopies(there).pull(NAMED) / "manifest.json").is_file()


def test_what_was_stored_by_half_is_no_checkpoint(tmp_path: Path) -> None:
    """The line dies behind the first file, for good."""
    here = node(tmp_path, "a")
    copies = written(here)
    put = here.store.put

    def die_after(file: Path, name: str) -> None:
        put(file, name)
        break_(here, float("inf"), "put_file")

    here.store.put = die_after  # type: ignore[method-assign]
    with pytest.raises(ObjectStoreError, match=r"writing runs/job-1/.*/optimizer\.pt of file:"):
        copies.push(NAMED)
    assert [path.name for path in stored(tmp_path).iterdir()] == ["model.safetensors"]
    assert (copies.here(NAMED) / "state" / "optimizer.pt").is_file()
    with pytest.raises(CheckpointError, match=r"is no checkpoint: it has no manifest\.json"):
        CheckpointCopies(node(tmp_path, "b")).pull(NAMED)


def test_a_file_that_the_store_cut_keeps_the_manifest_back(tmp_path: Path) -> None:
    here = node(tmp_path, "a")
    copies = written(here)
    put = here.store.put

    def cut(file: Path, name: str) -> None:
        put(file, name)
        with (stored(tmp_path) / "model.safetensors").open("r+b") as opened:
            opened.truncate(5)

    here.store.put = cut  # type: ignore[method-assign]
    with pytest.raises(ObjectStoreError, match="has 700 bytes here, the store shows 5 bytes"):
        copies.push(NAMED)
    assert not (stored(tmp_path) / "manifest.json").exists()


@pytest.mark.parametrize("content", [None, b"weights" * 99, b"Weights" * 100])
def test_a_file_that_is_gone_cut_or_changed_is_found(tmp_path: Path, content: bytes | None) -> None:
    written(node(tmp_path, "a")).push(NAMED)
    file = stored(tmp_path) / "model.safetensors"
    file.unlink() if content is None else file.write_bytes(content)
    there = CheckpointCopies(node(tmp_path, "b"))
    with pytest.raises(CheckpointError, match=r"is damaged: model\.safetensors is missing or is"):
        there.pull(NAMED)
    assert not there.here(NAMED).exists()


def test_one_bad_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(node(tmp_path, "a")).push(NAMED)
    there = node(tmp_path, "b")
    get = there.store.get
    reads: list[str] = []

    def once_wrong(name: str, file: Path) -> None:
        get(name, file)
        if not reads:
            file.write_bytes(b"Weights" * 100)
        reads.append(name)

    monkeypatch.setattr(there.store, "get", once_wrong)
    place = CheckpointCopies(there).pull(NAMED)
    assert (place / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert len(reads) == 3


def test_what_is_whole_here_is_not_fetched_again(tmp_path: Path) -> None:
    written(node(tmp_path, "a")).push(NAMED)
    first, second = node(tmp_path, "b"), node(tmp_path, "b")
    CheckpointCopies(first).pull(NAMED)
    counting = break_(second, 0, "get_file")
    CheckpointCopies(second).pull(NAMED)
    assert counting.calls == 0


@pytest.mark.parametrize("name", ["../spec.json", "/etc/passwd", "a//b", "manifest.json"])
def test_a_manifest_that_names_a_file_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    here = node(tmp_path, "a")
    manifest = {"files": {name: {"bytes": 1, "sha256": ""}}}
    here.store.write(json.dumps(manifest).encode(), here.name(f"{STORED}/manifest.json"))
    with pytest.raises(CheckpointError, match="is damaged: its manifest names"):
        CheckpointCopies(here).pull(NAMED)
