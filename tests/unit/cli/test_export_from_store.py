"""Exports of a job whose records are in an object store alone."""

import shutil
from pathlib import Path

import pytest

from rkd_online.objects.segments import put_grown
from rkd_online.spec.store_files import read_store_manifest
from tests.unit.cli.conftest import Rkd
from tests.unit.export.jobs import make_job
from tests.unit.objects.stores import store
from tests.unit.service.written_rollouts import write_step


@pytest.fixture
def stored(rkd: Rkd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job of two steps, as its run put it into a store; the folder of its objects."""
    job = make_job(tmp_path / "node", reports={1: 0.5, 2: 0.5}, checkpoints=[0, 2])
    write_step(job.run.path, 1, {2: (1.0, 0.0)})
    objects = store(tmp_path)
    for path in (one for one in job.run.path.rglob("*") if one.is_file()):
        name = f"runs/sums/{path.relative_to(job.run.path)}"
        if path.suffix == ".jsonl":
            put_grown(objects, path, name, 0)
        else:
            objects.put(path, name)
    shutil.rmtree(tmp_path / "node")
    monkeypatch.setenv("RKD_OBJECT_STORE", objects.address)
    monkeypatch.setenv("RKD_DATA_DIR", str(tmp_path / "empty"))
    return tmp_path / "bucket" / "prefix" / "runs" / "sums"


@pytest.mark.parametrize(("asked", "step"), [([], 2), (["--step", "0"], 0)])
def test_a_checkpoint_comes_out_of_the_store(
    rkd: Rkd, stored: Path, tmp_path: Path, asked: list[str], step: int
) -> None:
    outcome = rkd("export", "checkpoint", "sums", "--out", str(tmp_path / "out"), *asked)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith(f"the weights of sums after step {step}\n")
    name = f"attempts/1/checkpoints/step-{step:06d}/model.safetensors"
    exported = (tmp_path / "out" / "model.safetensors").read_bytes()
    assert exported == (stored / name).read_bytes()
    assert not (tmp_path / "empty").exists()


def test_rollouts_come_out_of_the_store(rkd: Rkd, stored: Path, tmp_path: Path) -> None:
    outcome = rkd("export", "rollouts", "sums", "--out", str(tmp_path / "out"))
    assert (outcome.code, outcome.err) == (0, "")
    manifest = read_store_manifest(tmp_path / "out")
    assert (manifest.source, manifest.groups, manifest.rows) == ("job sums", 1, 2)


def test_a_job_that_the_data_folder_has_is_taken_from_there(
    rkd: Rkd, stored: Path, tmp_path: Path
) -> None:
    make_job(tmp_path / "here", reports={1: 0.5}, checkpoints=[1])
    data = ["--data-dir", str(tmp_path / "here")]
    outcome = rkd("export", "checkpoint", "sums", "--out", str(tmp_path / "out"), *data)
    assert outcome.out.endswith("the weights of sums after step 1\n")


def test_a_job_that_is_in_neither_is_not_found(rkd: Rkd, stored: Path, tmp_path: Path) -> None:
    outcome = rkd("export", "rollouts", "absent", "--out", str(tmp_path / "out"))
    assert outcome.code == 1
    address = f"file://{tmp_path}/bucket/prefix"
    said = " ".join(outcome.err.split())
    assert said == f"error: there is no job 'absent' in {address} (RKD_OBJECT_STORE)"


def test_a_checkpoint_that_the_store_cut_is_not_exported(
    rkd: Rkd, stored: Path, tmp_path: Path
) -> None:
    (stored / "attempts/1/checkpoints/step-000002/model.safetensors").write_bytes(b"cut")
    outcome = rkd("export", "checkpoint", "sums", "--out", str(tmp_path / "out"))
    assert outcome.code == 1
    assert "is damaged: model.safetensors is missing or is not what was" in " ".join(
        outcome.err.split()
    )
    assert not (tmp_path / "out").exists()
