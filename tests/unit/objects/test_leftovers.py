"""Checkpoints that an attempt which is over stored by half: when they go, and when they stay."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rkd_online.errors import ObjectStoreError
from rkd_online.objects.job import JobObjects
from rkd_online.objects.leftovers import SETTLED, remove_half_stored
from tests.unit.objects.stores import node
from tests.unit.objects.test_checkpoints import NAMED, STORED, stored, written

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LONG_AGO = SETTLED + timedelta(seconds=1)
WEIGHTS, MOMENTS, MANIFEST = "model.safetensors", "state/optimizer.pt", "manifest.json"


@pytest.fixture
def objects(tmp_path: Path) -> JobObjects:
    return node(tmp_path, "driver")


def put(objects: JobObjects, path: str, age: timedelta = LONG_AGO) -> None:
    name = objects.name(path)
    objects.store.write(b"bytes", name)
    written_at = (NOW - age).timestamp()
    os.utime(f"{objects.store.address.removeprefix('file://')}/{name}", (written_at, written_at))


def names(objects: JobObjects) -> list[str]:
    return list(objects.find(""))


def test_half_a_checkpoint_of_an_earlier_attempt_goes(objects: JobObjects) -> None:
    half = "attempts/1/checkpoints/step-000004"
    kept = [
        "attempts/1/checkpoints/step-000002/manifest.json",
        "attempts/1/checkpoints/step-000002/model.safetensors",
        "attempts/1/metrics.jsonl/000000",
        "attempts/3/checkpoints/step-000006/model.safetensors",
        "attempts/4/checkpoints/step-000008/model.safetensors",
        "spec.json",
    ]
    for path in (*kept, f"{half}/{WEIGHTS}", f"{half}/{MOMENTS}"):
        put(objects, path)
    other = JobObjects(objects.store, "job-2", objects.folder)
    put(other, f"{half}/{WEIGHTS}")
    remove_half_stored(objects, 3, NOW)
    assert names(objects) == kept
    assert names(other) == [f"{half}/{WEIGHTS}"]


def test_what_somebody_still_stores_stays(objects: JobObjects) -> None:
    half = "attempts/1/checkpoints/step-000004"
    put(objects, f"{half}/{WEIGHTS}", age=timedelta(days=1))
    put(objects, f"{half}/{MOMENTS}", age=SETTLED)
    remove_half_stored(objects, 2, NOW)
    assert names(objects) == [f"{half}/{WEIGHTS}", f"{half}/{MOMENTS}"]
    remove_half_stored(objects, 2, NOW + timedelta(seconds=1))
    assert names(objects) == []


def test_a_manifest_that_appears_meanwhile_goes_with_the_files(
    objects: JobObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt that is over stores it between the looking and the last removal."""
    half = "attempts/1/checkpoints/step-000004"
    put(objects, f"{half}/{WEIGHTS}")
    remove = objects.store._files.rm_file

    def late(path: str) -> None:
        if path.endswith(WEIGHTS):
            put(objects, f"{half}/{MANIFEST}")
        remove(path)

    monkeypatch.setattr(objects.store._files, "rm_file", late)
    remove_half_stored(objects, 2, NOW)
    assert names(objects) == []


def test_a_learner_whose_files_were_removed_takes_its_manifest_back(
    tmp_path: Path, objects: JobObjects
) -> None:
    """It looks at the files, then a later attempt removes them, then it stores its manifest."""
    here = node(tmp_path, "learner")
    copies = written(here)
    push = here.store.put

    def raced(file: Path, name: str) -> None:
        if name.endswith(MANIFEST):
            remove_half_stored(objects, 2, datetime.now(UTC) + LONG_AGO)
        push(file, name)

    here.store.put = raced  # type: ignore[method-assign]
    with pytest.raises(
        ObjectStoreError, match=r"the store shows nothing after it was written: the"
    ):
        copies.push(NAMED)
    assert names(objects) == []
    assert (copies.here(NAMED) / WEIGHTS).is_file()
    here.store.put = push  # type: ignore[method-assign]
    copies.push(NAMED)
    assert names(objects) == [f"{STORED}/{one}" for one in (MANIFEST, WEIGHTS, MOMENTS)]
    remove_half_stored(objects, 2, datetime.now(UTC) + LONG_AGO)
    assert len(list(stored(tmp_path).rglob("*.*"))) == 3
