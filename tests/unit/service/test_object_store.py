"""A control plane that sees no folder of any run: what it knows of their files is in a store."""

import asyncio
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from rkd_online.errors import ObjectStoreError
from rkd_online.objects.job import JobObjects
from rkd_online.objects.patience import Patience
from rkd_online.objects.store import ObjectStore
from rkd_online.service.job_storage import SharedStore
from rkd_online.service.launchers.base import Launch, RunState
from rkd_online.service.reading.object_cache import ObjectCache
from rkd_online.service.settings import Settings
from rkd_online.service.web.problems import ApiError
from tests.unit.evaluation.evaluations import evaluation
from tests.unit.evaluation.sample_report import report
from tests.unit.objects.stores import break_, node
from tests.unit.service.plane import Clock, Plane, open_plane
from tests.unit.service.written_rollouts import write_step

pytestmark = pytest.mark.asyncio

CONTENT = {
    "config.json": b'{"a": 1}',
    "model.safetensors": bytes(range(200)),
    "state/optimizer.pt": b"moments",
}
NAME = "1-step-000002"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "bucket").mkdir()
    return settings.model_copy(update={"object_store": f"file://{tmp_path}/bucket"})


@pytest_asyncio.fixture
async def apart(settings: Settings, clock: Clock) -> AsyncIterator[Plane]:
    async with open_plane(settings, clock) as plane:
        yield plane
        storage(plane).close()


def storage(plane: Plane) -> SharedStore:
    found = plane.services.storage
    assert isinstance(found, SharedStore)
    return found


class Run:
    """Puts into the store what a run of a job would."""

    def __init__(self, plane: Plane, job_id: str, tmp_path: Path) -> None:
        self.http = plane.http
        self.id = job_id
        store = ObjectStore(plane.services.settings.object_store, Patience(0))
        self.objects = JobObjects(store, job_id, tmp_path / "node" / job_id)

    def put(self, path: str, content: bytes | str) -> None:
        data = content.encode() if isinstance(content, str) else content
        self.objects.store.write(data, self.objects.name(path))

    def checkpoint(self, attempt: int, step: int, *, whole: bool = True) -> None:
        base = f"attempts/{attempt}/checkpoints/step-{step:06d}"
        for name, content in CONTENT.items():
            self.put(f"{base}/{name}", content)
        recorded = {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in CONTENT.items()
        }
        if whole:
            self.put(f"{base}/manifest.json", json.dumps({"files": recorded}))

    def rollouts(self, step: int, *, attempt: int = 1) -> None:
        groups: dict[int, tuple[float | None, ...]] = {2 * step: (1.0, 0.0)}
        path = write_step(self.objects.folder, step, groups, attempt=attempt)
        self.objects.push(path.relative_to(self.objects.folder))

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(f"/v1/jobs/{self.id}{path}", headers=headers)


@pytest_asyncio.fixture
async def run(apart: Plane, tmp_path: Path) -> Run:
    return Run(apart, await apart.submit(), tmp_path)


async def launched(plane: Plane) -> Launch:
    await plane.submit()
    await plane.reconcile()
    return plane.launcher.launches[-1]


async def test_the_spec_is_in_the_store_before_the_run_starts(
    apart: Plane, settings: Settings, tmp_path: Path
) -> None:
    launch = await launched(apart)
    stored = tmp_path / "bucket" / "runs" / launch.job_id / "spec.json"
    record = await apart.job(launch.job_id)
    assert json.loads(stored.read_text()) == record["spec"]
    assert launch.job_dir == Path("scratch/runs") / launch.job_id
    assert not (settings.data_dir / "runs").exists()
    assert record["links"]["data"] == f"file://{tmp_path}/bucket/runs/{launch.job_id}"


async def test_a_run_is_told_of_the_store_and_not_of_this_data_folder(settings: Settings) -> None:
    assert settings.run_storage == {"RKD_OBJECT_STORE": settings.object_store}
    apart = settings.model_copy(update={"object_store": ""})
    assert apart.run_storage == {"RKD_DATA_DIR": str(settings.data_dir)}


async def test_a_launch_waits_for_the_store(apart: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(job_id: str, spec: dict[str, Any]) -> Path:
        raise ObjectStoreError("writing runs/x/spec.json of s3://b: failed for 8 s")

    with monkeypatch.context() as patched:
        patched.setattr(apart.services.storage, "hand_over", away)
        job = await apart.submit()
        await apart.reconcile()
    assert (await apart.job(job))["status"] == "starting"
    (event,) = [one for one in await apart.events(job) if one["type"] == "launch_delayed"]
    assert event["data"]["cause"] == "writing runs/x/spec.json of s3://b: failed for 8 s"
    await apart.reconcile()
    assert [launch.job_id for launch in apart.launcher.launches] == [job]


async def test_whole_checkpoints_are_listed_newest_first_with_what_was_measured(run: Run) -> None:
    for attempt, step in ((1, 0), (1, 2), (10, 4), (2, 2)):
        run.checkpoint(attempt, step)
    run.checkpoint(10, 6, whole=False)
    run.put("report.json", report().model_dump_json())
    found = evaluation("validation-000004", [4, 0], split="validation")
    (decoding,) = found.decodings
    versioned = found.decodings[decoding].model_copy(update={"weight_version": 4})
    found = found.model_copy(update={"decodings": {decoding: versioned}})
    run.put("evaluations/validation-000004.json", found.model_dump_json())
    listed = (await run.get("/checkpoints")).json()["data"]
    assert [one["name"] for one in listed] == [
        "10-step-000004",
        "2-step-000002",
        "1-step-000002",
        "1-step-000000",
    ]
    assert [one["last"] for one in listed] == [False, False, True, False]
    assert [[each["name"] for each in one["evaluations"]] for one in listed] == [
        ["validation-000004"], [], [], [],
    ]  # fmt: skip
    assert (listed[0]["files"], listed[0]["path"]) == (4, "attempts/10/checkpoints/step-000004")
    manifest = run.objects.find("attempts/10/checkpoints/step-000004")
    assert listed[0]["bytes"] == sum(one.bytes for one in manifest.values())


async def test_files_are_listed_with_their_digests(run: Run) -> None:
    run.checkpoint(1, 2)
    listed = (await run.get(f"/checkpoints/{NAME}/files")).json()["data"]
    assert {one["path"]: (one["bytes"], one["sha256"]) for one in listed[:1] + listed[2:]} == {
        name: (len(content), hashlib.sha256(content).hexdigest())
        for name, content in CONTENT.items()
    }
    assert (listed[1]["path"], listed[1]["sha256"]) == ("manifest.json", None)


async def test_a_file_is_sent_out_of_the_store_whole_and_in_parts(
    run: Run, settings: Settings
) -> None:
    run.checkpoint(1, 2)
    where, whole = f"/checkpoints/{NAME}/files/model.safetensors", CONTENT["model.safetensors"]
    answer = await run.get(where)
    tag = f'"{hashlib.sha256(whole).hexdigest()}"'
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (200, whole, tag)
    assert answer.headers["Content-Length"] == "200"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="model.safetensors"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    part = await run.get(where, Range="bytes=5-14", **{"If-Range": tag})
    assert (part.status_code, part.content) == (206, whole[5:15])
    assert part.headers["Content-Range"] == "bytes 5-14/200"
    assert (await run.get(where, Range="bytes=-4")).content == whole[-4:]
    assert (await run.get(where, Range="bytes=190-")).content == whole[190:]
    assert (await run.get(where, Range="bytes=190-900")).content == whole[190:]
    for given in ("bytes=0-1,5-6", "lines=1-2", "bytes=-"):
        assert (await run.get(where, Range=given)).content == whole
    other = await run.get(where, Range="bytes=5-14", **{"If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole)
    for given in ("bytes=200-", "bytes=9-3", "bytes=-0"):
        behind = await run.get(where, Range=given)
        assert (behind.status_code, behind.headers["Content-Range"]) == (416, "bytes */200")
    assert (await run.get(where, **{"If-None-Match": tag})).status_code == 304
    assert list(settings.data_dir.rglob("*.safetensors")) == []


@pytest.mark.parametrize(
    "path",
    ["absent", "state", "..%2F..%2F..%2F..%2Fspec.json", "%2e%2e/step-000002/config.json", ""],
)
async def test_nothing_but_objects_of_the_checkpoint_is_sent(run: Run, path: str) -> None:
    run.checkpoint(1, 2)
    run.put("spec.json", "{}")
    assert (await run.get(f"/checkpoints/{NAME}/files/{path}")).status_code == 404


async def test_the_archive_is_the_whole_checkpoint_with_its_manifest_last(run: Run) -> None:
    run.checkpoint(1, 2)
    answer = await run.get(f"/checkpoints/{NAME}/archive")
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as opened:
        assert opened.getnames() == [f"{NAME}/{name}" for name in [*CONTENT, "manifest.json"]]
        for name, content in CONTENT.items():
            member = opened.extractfile(f"{NAME}/{name}")
            assert member is not None and member.read() == content


async def test_a_checkpoint_without_a_manifest_is_not_there(run: Run) -> None:
    run.checkpoint(1, 2, whole=False)
    assert (await run.get("/checkpoints")).json()["data"] == []
    assert (await run.get(f"/checkpoints/{NAME}/archive")).status_code == 404


async def test_rollouts_of_a_step_done_again_are_those_of_its_last_attempt(run: Run) -> None:
    for step in (1, 2, 3):
        run.rollouts(step)
    run.rollouts(2, attempt=2)
    found = (await run.get("/rollouts")).json()["data"]
    assert [(row["id"], row["attempt"]) for row in found] == [
        ("2-4-0", 2),
        ("2-4-1", 2),
        ("1-2-0", 1),
        ("1-2-1", 1),
    ]
    one = (await run.get("/rollouts/1-2-0")).json()
    assert len(one["old_logprobs"]) == len(one["completion_ids"]) > 0


async def test_report_plot_and_trace_come_out_of_the_store_and_follow_it(run: Run) -> None:
    assert (await run.get("/report")).json()["code"] == "no_report"
    assert (await run.get("/trace")).json()["code"] == "no_trace"
    run.put("report.json", '{"first": 1}')
    run.put("report.png", b"\x89PNG")
    assert (await run.get("/report")).json() == {"first": 1}
    assert (await run.get("/report.png")).content == b"\x89PNG"
    run.put("report.json", '{"second": 2}')
    assert (await run.get("/report")).json() == {"second": 2}
    line = json.dumps({"step": 1, "spans": {"loop": [["update", 1.0, 2.0]]}}) + "\n"
    run.put("attempts/1/trace.jsonl/000000", line)
    trace = (await run.get("/trace")).json()
    assert trace["otherData"]["critical_path"] == {"update": 1.0}
    run.put("attempts/1/trace.jsonl/000000", line + line.replace("1.0, 2.0", "2.0, 5.0"))
    assert (await run.get("/trace")).json()["otherData"]["critical_path"] == {"update": 4.0}


async def test_a_failed_job_says_how_to_get_at_its_newest_checkpoint(apart: Plane) -> None:
    launch = await apart.running()
    told = {"step": 2, "path": "attempts/1/checkpoints/step-000002"}
    await apart.send(launch, {"number": 2, "type": "checkpoint", "data": told})
    await apart.send(
        launch, {"number": 3, "type": "failed", "data": {"message": "the loss is NaN"}}
    )
    assert (await apart.job(launch.job_id))["error"] == (
        "the loss is NaN\nThe newest checkpoint is of step 2: download it with `rkd checkpoints "
        "download`, and submit a job with policy.model set to it to go on from its weights"
    )


async def test_the_next_run_is_told_of_the_checkpoint_where_its_node_has_it(apart: Plane) -> None:
    launch = await apart.running()
    told = {"step": 2, "path": "attempts/1/checkpoints/step-000002"}
    await apart.send(launch, {"number": 2, "type": "checkpoint", "data": told})
    apart.launcher.end(launch.job_id, 1, RunState.FAILED)
    for _ in range(2):
        await apart.reconcile()
    assert [one.attempt for one in apart.launcher.launches] == [1, 2]
    scratch = Path("scratch/runs") / launch.job_id
    assert apart.launcher.launches[1].resume_from == scratch / told["path"]  # type: ignore[operator]


async def test_a_store_that_is_away_is_a_503_with_a_code(apart: Plane, run: Run) -> None:
    store = storage(apart)._store
    store._patience = Patience(0)
    break_(JobObjects(store, run.id, Path()), float("inf"), "find", "ls", "info")
    for path in ("/report", "/checkpoints", "/rollouts", "/trace"):
        answer = await run.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "object_store_away")
        assert "bucket" not in answer.text


async def test_the_cache_is_bounded_and_what_was_used_lately_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rkd_online.service.reading.object_cache.IN_USE_SECONDS", 0.0)
    cache = ObjectCache(tmp_path / "cache", most_bytes=250)
    objects = node(tmp_path, "unused")
    objects.folder = cache.folder / "job-1"
    for name in ("a", "b", "c"):
        objects.store.write(name.encode() * 100, objects.name(name))

    def fetch(name: str) -> Path:
        return cache.fetch(objects, name, objects.seen(name))

    assert fetch("a").read_bytes() == b"a" * 100
    counting = break_(objects, 0, "get_file")
    fetch("b")
    fetch("a")
    assert counting.calls == 1
    fetch("c")
    left = [path.name for path in objects.folder.iterdir()]
    assert sorted(left) == ["a", "c"]
    objects.remove(["a"])
    assert not fetch("a").exists()
    cache.close()
    assert list((tmp_path / "cache").iterdir()) == []


async def test_what_is_being_read_is_not_removed_though_the_cache_is_full(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "cache", most_bytes=5)
    objects = node(tmp_path, "unused")
    objects.folder = cache.folder / "job-1"
    for name in ("a", "b"):
        objects.store.write(b"1234", objects.name(name))
        cache.fetch(objects, name, objects.seen(name))
    assert sorted(path.name for path in objects.folder.iterdir()) == ["a", "b"]
    objects.store.write(b"123456", objects.name("c"))
    with pytest.raises(ApiError, match="c of the job has 6 bytes, the cache 5: raise"):
        cache.fetch(objects, "c", objects.seen("c"))
    cache.close()


async def test_a_cache_that_a_dead_process_left_is_removed_and_anothers_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rkd_online.service.reading.object_cache.NEW_SECONDS", 0.0)
    base = tmp_path / "cache"
    (base / "dead").mkdir(parents=True)
    (base / "dead" / "file").write_text("x")
    first, second = ObjectCache(base, 1), ObjectCache(base, 1)
    await asyncio.sleep(0)
    assert sorted(base.iterdir()) == sorted([first.folder, second.folder])
    first.close()
    second.close()
    shutil.rmtree(base)
