"""What the driver of an attempt does about its records, with a folder as the object store."""

import asyncio
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from rkd_online.errors import ObjectStoreError, ObjectStoreSetupError
from rkd_online.objects.checkpoints import LearnerCopies
from rkd_online.objects.job import JobObjects, scratch_folder
from rkd_online.objects.patience import Patience
from rkd_online.objects.store import ObjectStore
from rkd_online.run.keeping import InStore, OnDisk, checkpoint_copies, keeping_of
from rkd_online.run.records import RunFolder
from rkd_online.run.shelf import StoreShelf
from rkd_online.types import StepReport
from tests.unit.objects.stores import break_

JOB = "job-1"


class Place:
    """A store and the data folder of a node."""

    def __init__(self, tmp_path: Path) -> None:
        self.address = f"file://{tmp_path}/bucket"
        self.folder = RunFolder(tmp_path / "node" / scratch_folder(JOB))
        self.objects = JobObjects(
            ObjectStore(self.address, Patience(0)), JOB, tmp_path / "other" / JOB
        )
        self.told: list[str] = []

    def put(self, path: str, content: str = "{}") -> None:
        self.objects.store.write(content.encode(), self.objects.name(path))

    def names(self) -> list[str]:
        return list(self.objects.find(""))

    def opened(self, attempt: int) -> InStore:
        keeping = keeping_of(self.folder, attempt)
        assert isinstance(keeping, InStore)
        keeping.open(self.told.append)
        return keeping


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(tmp_path)
    monkeypatch.setenv("RKD_OBJECT_STORE", place.address)
    monkeypatch.setenv("RKD_DATA_DIR", str(tmp_path / "node"))
    return place


def sent_by(keeping: InStore) -> JobObjects:
    assert keeping._outbox is not None
    return keeping._outbox._objects


def shelved_by(keeping: InStore) -> JobObjects:
    assert isinstance(keeping.shelf, StoreShelf)
    return keeping.shelf._objects


def checkpoint(place: Place, attempt: int, step: int, *, whole: bool = True) -> None:
    base = f"attempts/{attempt}/checkpoints/step-{step:06d}"
    place.put(f"{base}/model.safetensors", "weights")
    if whole:
        place.put(f"{base}/manifest.json", json.dumps({"step": step}))


def test_without_an_address_nothing_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RKD_OBJECT_STORE", raising=False)
    keeping = keeping_of(RunFolder(tmp_path), 1)
    assert isinstance(keeping, OnDisk)
    assert (keeping.open(print), checkpoint_copies(JOB, 1)) == ([], None)
    keeping.finish()
    keeping.leave()
    assert list(tmp_path.iterdir()) == []


def test_an_attempt_begins_with_what_is_in_the_store_and_nothing_else(place: Place) -> None:
    place.put("spec.json", '{"a": 1}')
    place.put("evaluations/student-before.json")
    lines = [json.dumps({"step": n, "version": n, "staleness": 0, "timings": {}, "metrics": {}})
             for n in (1, 2)]  # fmt: skip
    place.put("attempts/1/metrics.jsonl/000000", "\n".join(lines) + "\n")
    place.put("attempts/1/rollouts/step-000001.parquet", "rows")
    checkpoint(place, 1, 0)
    checkpoint(place, 1, 2)
    checkpoint(place, 1, 4, whole=False)
    left = place.folder.attempt(1).checkpoints / "step-000009" / "manifest.json"
    left.parent.mkdir(parents=True)
    left.write_text("of a killed run")
    keeping = place.opened(2)
    assert place.folder.spec.read_text() == '{"a": 1}'
    assert [report.step for report in place.folder.reports()] == [1, 2]
    assert place.folder.latest_checkpoint() == place.folder.attempt(1).checkpoints / "step-000002"
    found = sorted(path.name for path in place.folder.path.rglob("*") if path.is_file())
    assert found == [
        "manifest.json", "manifest.json", "metrics.jsonl", "spec.json", "student-before.json",
    ]  # fmt: skip
    keeping.leave()


def test_a_job_whose_spec_is_not_there_says_what_to_look_at(place: Place) -> None:
    with pytest.raises(
        ObjectStoreSetupError, match=r"has no spec\.json: does RKD_OBJECT_STORE of the"
    ):
        place.opened(1)


def test_a_store_that_cannot_be_used_is_told_when_it_is_opened(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is raised before that reaches nobody."""
    left = place.folder.path / "left.json"
    left.parent.mkdir(parents=True)
    left.write_text("of a killed run")
    monkeypatch.setenv("RKD_OBJECT_STORE", "s3:/bucket")
    keeping = keeping_of(place.folder, 1)
    assert not left.exists()
    with pytest.raises(ObjectStoreSetupError, match=r"'s3:/bucket' names no bucket: write s3://"):
        keeping.open(place.told.append)
    keeping.leave()


def test_a_folder_that_is_no_scratch_is_never_emptied(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control plane knows nothing of a store: what is there may be all that there is."""
    place.folder = RunFolder(tmp_path / "node" / "runs" / JOB)
    place.folder.path.mkdir(parents=True)
    place.folder.spec.write_text("{}")
    with pytest.raises(
        ObjectStoreSetupError, match=r"works with the folder .*: set it for both or"
    ):
        place.opened(1)
    assert place.folder.spec.read_text() == "{}"


def test_at_the_end_all_is_in_the_store_and_nothing_on_the_node(place: Place) -> None:
    place.put("spec.json")
    keeping = place.opened(1)
    own = place.folder.attempt(1)
    own.path.mkdir(parents=True)
    own.metrics.write_text("{}\n")
    place.folder.report.write_text("{}")
    (own.path / "unsent.jsonl").write_text("{}\n")
    keeping.finish()
    assert place.names() == ["attempts/1/metrics.jsonl/000000", "report.json", "spec.json"]
    keeping.leave()
    assert "attempts/1/unsent.jsonl" in place.names()
    assert not place.folder.path.exists()


def test_what_cannot_be_stored_stays_on_the_node_and_is_an_error(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rkd_online.run.keeping.END_SECONDS", 0.3)
    place.put("spec.json")
    keeping = place.opened(1)
    records = sent_by(keeping)
    records.store._patience = Patience(0)
    break_(records, float("inf"), "put_file")
    place.folder.report.write_text("{}")
    with pytest.raises(ObjectStoreError, match="the records of the run are not in"):
        keeping.finish()
    keeping.leave()
    assert place.folder.report.is_file()
    assert place.told[0].startswith("the object store takes no records")


def test_a_checkpoint_counts_with_its_records_when_it_is_taken(place: Place) -> None:
    place.put("spec.json")
    keeping = place.opened(1)
    own = place.folder.attempt(1)
    own.path.mkdir(parents=True)
    own.metrics.write_text("{}\n")
    folder = own.checkpoints / "step-000002"
    with pytest.raises(ObjectStoreError, match="the store does not have it"):
        asyncio.run(keeping.shelf.take(folder))
    checkpoint(place, 1, 2)
    asyncio.run(keeping.shelf.take(folder))
    assert "attempts/1/metrics.jsonl/000000" in place.names()
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]
    keeping.leave()


def test_old_checkpoints_are_deleted_from_the_store_the_manifest_first(place: Place) -> None:
    place.put("spec.json")
    for step in (0, 2, 4, 6, 8):
        checkpoint(place, 1, step)
    checkpoint(place, 1, 7, whole=False)
    checkpoint(place, 2, 2)
    keeping = place.opened(1)
    removed: list[str] = []
    shelved = shelved_by(keeping)
    files = shelved.store._files

    def noted(path: str) -> None:
        removed.append("/".join(Path(path).parts[-2:]))
        files.rm_file(path)

    shelved.store._files = SimpleNamespace(find=files.find, ls=files.ls, rm_file=noted)
    own = place.folder.attempt(1).checkpoints
    asyncio.run(keeping.shelf.prune(own, keep=1, best=4))
    assert sorted(removed) == sorted(
        ["step-000002/manifest.json", "step-000002/model.safetensors",
         "step-000006/manifest.json", "step-000006/model.safetensors",
         "step-000007/model.safetensors"]
    )  # fmt: skip
    for step_name in ("step-000002", "step-000006"):
        one = [name for name in removed if name.startswith(step_name)]
        assert one == [f"{step_name}/manifest.json", f"{step_name}/model.safetensors"]
    left = {name.split("/")[3] for name in place.names() if name.startswith("attempts/1/check")}
    assert left == {"step-000000", "step-000004", "step-000008"}
    assert sorted(path.name for path in own.iterdir()) == sorted(left)
    assert "attempts/2/checkpoints/step-000002/manifest.json" in place.names()
    keeping.leave()


def test_behind_a_checkpoint_goes_what_an_earlier_attempt_stored_by_half(place: Place) -> None:
    place.put("spec.json")
    for attempt, step, whole in ((1, 2, True), (1, 4, False), (2, 4, True), (3, 6, False)):
        checkpoint(place, attempt, step, whole=whole)
    keeping = place.opened(2)
    own = place.folder.attempt(2).checkpoints
    asyncio.run(keeping.shelf.prune(own, keep=1, best=0))
    assert "attempts/1/checkpoints/step-000004/model.safetensors" in place.names()
    half = Path(place.address.removeprefix("file://"), "runs", JOB, "attempts/1/checkpoints")
    before = (half / "step-000004/model.safetensors").stat().st_mtime - 3600
    os.utime(half / "step-000004/model.safetensors", (before, before))
    asyncio.run(keeping.shelf.prune(own, keep=1, best=0))
    assert [name for name in place.names() if "/checkpoints/" in name] == [
        "attempts/1/checkpoints/step-000002/manifest.json",
        "attempts/1/checkpoints/step-000002/model.safetensors",
        "attempts/2/checkpoints/step-000004/manifest.json",
        "attempts/2/checkpoints/step-000004/model.safetensors",
        "attempts/3/checkpoints/step-000006/model.safetensors",
    ]
    keeping.leave()


def test_a_store_that_deletes_nothing_ends_no_run(place: Place) -> None:
    place.put("spec.json")
    for step in (2, 4):
        checkpoint(place, 1, step)
    keeping = place.opened(1)
    shelved = shelved_by(keeping)
    shelved.store._patience = Patience(0)
    break_(shelved, float("inf"), "rm_file")
    own = place.folder.attempt(1).checkpoints
    asyncio.run(keeping.shelf.prune(own, keep=1, best=0))
    assert place.told[0].startswith("old checkpoints stay for now: removing runs/job-1/attempts/1/")
    keeping.leave()


def learner(attempt: int) -> LearnerCopies:
    copies = checkpoint_copies(JOB, attempt)
    assert isinstance(copies, LearnerCopies)
    return copies


def test_a_learner_has_a_folder_of_its_attempt_in_its_own_data_folder(
    place: Place, tmp_path: Path
) -> None:
    copies = learner(7)
    named = Path("/driver/scratch/runs/job-1/attempts/1/checkpoints/step-000002")
    expected = tmp_path / "node/scratch/learners/job-1.7/attempts/1/checkpoints/step-000002"
    assert copies.here(named) == expected
    copies.close()


def test_what_a_learner_left_goes_with_the_next_of_its_node_and_nothing_else(
    place: Place, tmp_path: Path
) -> None:
    """The first was killed; the second is of an attempt that does not know yet that it is over."""
    scratch = tmp_path / "node" / "scratch"
    place.put("spec.json")
    driver = place.opened(3)
    killed, cut_off = learner(1), learner(2)
    for attempt in (1, 2):
        (scratch / f"learners/job-1.{attempt}").mkdir()
        (scratch / f"learners/job-1.{attempt}/weights").write_text("")
    killed._held._lock.close()
    assert sorted(path.name for path in (scratch / "learners").iterdir()) == [
        "job-1.1", "job-1.1.lock", "job-1.2", "job-1.2.lock",
    ]  # fmt: skip
    copies = learner(3)
    assert sorted(path.name for path in (scratch / "learners").iterdir()) == [
        "job-1.2", "job-1.2.lock", "job-1.3.lock",
    ]  # fmt: skip
    cut_off.close()
    copies.close()
    assert list((scratch / "learners").iterdir()) == []
    assert place.folder.spec.is_file()
    driver.leave()


def test_a_report_wakes_the_way_to_the_store(place: Place) -> None:
    place.put("spec.json")
    keeping = keeping_of(place.folder, 1)
    (outbox,) = keeping.open(place.told.append)
    place.folder.report.write_text("{}")
    outbox.report(StepReport(1, 1, 0, {}, {}))
    keeping.finish()
    assert "report.json" in place.names()
    keeping.leave()
