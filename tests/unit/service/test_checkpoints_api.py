"""The checkpoints of a job, out of the folders that its run wrote."""

import hashlib
import io
import json
import logging
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from rkd_online.errors import ServiceError
from rkd_online.learning.checkpoint import write_checkpoint
from rkd_online.learning.manifest import read_manifest
from rkd_online.run.records import RunFolder
from rkd_online.service.reading import checkpoints, disk_files
from rkd_online.service.reading.archive import Archive
from rkd_online.service.reading.checkpoints import files_of, find_checkpoint
from rkd_online.service.reading.disk_files import DiskFile, DiskFiles
from rkd_online.types import Progress
from rkd_online.zoo import zoo_path
from tests.unit.evaluation.evaluations import evaluation
from tests.unit.evaluation.sample_report import report
from tests.unit.export.jobs import STUDENT, student
from tests.unit.service.plane import Plane

pytestmark = pytest.mark.asyncio

WRITTEN = 1_700_000_000


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the bundled student as the learner writes it."""
    folder = tmp_path_factory.mktemp("saved") / "step-000002"
    model, source = student(), zoo_path(STUDENT)
    write_checkpoint(folder, model, model.state_dict(), source, {"version": 2}, Progress(2, 0, ()))
    return folder


class Saved:
    """A job's folder into which checkpoints are put."""

    def __init__(self, plane: Plane, job_id: str, template: Path) -> None:
        self.http = plane.http
        self.id = job_id
        self.folder = plane.services.settings.job_dir(job_id)
        self._template = template

    def put(self, attempt: int, step: int) -> Path:
        folder = RunFolder(self.folder).attempt(attempt).checkpoints / f"step-{step:06d}"
        shutil.copytree(self._template, folder)
        os.utime(folder / "manifest.json", (WRITTEN, WRITTEN))
        return folder

    def evaluate(self, name: str, correct: list[int], version: int, **asked: Any) -> None:
        found = evaluation(name, correct, **asked)
        decodings = {
            decoding: one.model_copy(update={"weight_version": version})
            for decoding, one in found.decodings.items()
        }
        path = self.folder / "evaluations" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found.model_copy(update={"decodings": decodings}).model_dump_json())

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """``path`` is sent as it is."""
        return await self.http.get(f"/v1/jobs/{self.id}/checkpoints{path}", headers=headers)

    async def listed(self, query: str = "") -> list[dict[str, Any]]:
        answer = await self.get(query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found


@pytest.fixture
def job(saved: Path) -> Any:
    async def make(plane: Plane) -> Saved:
        return Saved(plane, await plane.submit(), saved)

    return make


async def test_checkpoints_are_listed_newest_attempt_and_step_first(plane: Plane, job: Any) -> None:
    one: Saved = await job(plane)
    for attempt, step in ((1, 0), (1, 2), (10, 4), (2, 2)):
        one.put(attempt, step)
    names = [found["name"] for found in await one.listed()]
    assert names == ["10-step-000004", "2-step-000002", "1-step-000002", "1-step-000000"]


async def test_a_checkpoint_has_its_place_its_time_and_its_size(plane: Plane, job: Any) -> None:
    one: Saved = await job(plane)
    folder = one.put(1, 2)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert await one.listed() == [
        {
            "name": "1-step-000002",
            "attempt": 1,
            "step": 2,
            "path": "attempts/1/checkpoints/step-000002",
            "written_at": "2023-11-14T22:13:20Z",
            "files": len(files),
            "bytes": sum(path.stat().st_size for path in files),
            "resumes": False,
            "last": None,
            "best": None,
            "evaluations": [],
        }
    ]


async def test_the_one_that_the_job_would_go_on_from_is_the_one_that_was_reported(
    plane: Plane, saved: Path
) -> None:
    launch = await plane.running()
    one = Saved(plane, launch.job_id, saved)
    for step in (0, 2, 4):
        one.put(1, step)
    told = {"step": 2, "path": "attempts/1/checkpoints/step-000002"}
    await plane.send(launch, {"number": 2, "type": "checkpoint", "data": told})
    assert [found["resumes"] for found in await one.listed()] == [False, True, False]


async def test_the_report_says_which_is_the_last_and_which_the_best(plane: Plane, job: Any) -> None:
    one: Saved = await job(plane)
    for step in (0, 1, 2):
        one.put(1, step)
    (one.folder / "report.json").write_text(report().model_dump_json())
    found = {each["step"]: (each["last"], each["best"]) for each in await one.listed()}
    assert found == {0: (False, False), 1: (False, True), 2: (True, False)}


async def test_evaluations_stand_beside_the_weights_that_they_measured(
    plane: Plane, job: Any
) -> None:
    """A validation is named after its weights, the two of the report say their version."""
    one: Saved = await job(plane)
    for step in (0, 2, 4):
        one.put(1, step)
    one.evaluate("student-before", [1, 1], 0)
    one.evaluate("student-after", [4, 2], 4)
    one.evaluate("validation-000002", [4, 0], 2, split="validation")
    one.evaluate("validation-000003", [4, 4], 3, split="validation")
    one.evaluate("teacher", [4, 4], 0)
    found = {each["step"]: each["evaluations"] for each in await one.listed()}
    assert {step: [(e["name"], e["split"]) for e in each] for step, each in found.items()} == {
        0: [("student-before", "test")],
        2: [("validation-000002", "validation")],
        4: [("student-after", "test")],
    }
    measured = found[4][0]["pass_at_1"]
    assert list(measured) == ["temperature_1"]
    assert (measured["temperature_1"]["value"], measured["temperature_1"]["n"]) == (0.75, 2)
    assert found[0][0]["pass_at_1"]["temperature_1"]["value"] == 0.25


async def test_what_was_measured_last_belongs_to_the_last_attempt_at_a_step(
    plane: Plane, job: Any
) -> None:
    one: Saved = await job(plane)
    one.put(1, 2)
    one.put(2, 2)
    one.evaluate("validation-000002", [4], 2, split="validation")
    found = {each["name"]: len(each["evaluations"]) for each in await one.listed()}
    assert found == {"2-step-000002": 1, "1-step-000002": 0}


async def test_an_evaluation_that_cannot_be_read_is_left_out_and_logged(
    plane: Plane, job: Any, caplog: pytest.LogCaptureFixture
) -> None:
    one: Saved = await job(plane)
    one.put(1, 2)
    one.evaluate("validation-000002", [4], 2)
    path = one.folder / "evaluations" / "validation-000002.json"
    path.write_text(path.read_text()[:-20])
    with caplog.at_level(logging.WARNING):
        [found] = await one.listed()
    assert found["evaluations"] == []
    assert f"{path} cannot be read, and is left out" in caplog.text


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_pages_hold_every_checkpoint_once_also_when_one_is_pruned_meanwhile(
    plane: Plane, job: Any, limit: int
) -> None:
    one: Saved = await job(plane)
    for attempt, step in ((1, 0), (1, 1), (1, 2), (2, 2)):
        one.put(attempt, step)
    names, after = [], ""
    while True:
        page = (await one.get(f"?limit={limit}{after}")).json()
        names += [found["name"] for found in page["data"]]
        if not page["has_more"]:
            break
        after = f"&after={page['next']}"
        attempt, _, name = page["next"].partition("-")
        shutil.rmtree(one.folder / "attempts" / attempt / "checkpoints" / name)
    assert names == ["2-step-000002", "1-step-000002", "1-step-000001", "1-step-000000"]


async def test_what_is_no_whole_checkpoint_is_not_listed(
    plane: Plane, job: Any, tmp_path: Path
) -> None:
    one: Saved = await job(plane)
    whole = one.put(1, 2)
    (one.put(1, 4) / "manifest.json").unlink()
    shutil.copytree(whole, whole.with_name(".step-000006.partial"))
    shutil.copytree(whole, whole.with_name("step-8"))
    shutil.copytree(whole, tmp_path / "step-000010")
    whole.with_name("step-000010").symlink_to(tmp_path / "step-000010")
    linked = one.put(1, 12)
    (linked / "manifest.json").unlink()
    (linked / "manifest.json").symlink_to(whole / "manifest.json")
    (one.folder / "attempts" / "3").symlink_to(one.folder / "attempts" / "1")
    assert [found["name"] for found in await one.listed()] == ["1-step-000002"]
    for name in ("1-step-000004", "1-step-8", "1-step-000010", "1-step-000012", "3-step-000002"):
        answer = await one.get(f"/{name}/files")
        assert (answer.status_code, answer.json()["code"]) == (404, "checkpoint_not_found"), name


async def test_files_are_listed_with_the_digests_of_the_manifest(plane: Plane, job: Any) -> None:
    one: Saved = await job(plane)
    folder = one.put(1, 2)
    recorded = read_manifest(folder)["files"]
    answer = (await one.get("/1-step-000002/files")).json()
    assert (answer["has_more"], answer["next"]) == (False, None)
    found = {file["path"]: file for file in answer["data"]}
    assert list(found) == sorted([*recorded, "manifest.json"])
    assert "state/optimizer.pt" in found
    assert found.pop("manifest.json")["sha256"] is None
    assert {path: (file["bytes"], file["sha256"]) for path, file in found.items()} == {
        path: (file["bytes"], file["sha256"]) for path, file in recorded.items()
    }


async def test_files_come_in_pages_by_path(plane: Plane, job: Any) -> None:
    one: Saved = await job(plane)
    one.put(1, 2)
    every = (await one.get("/1-step-000002/files")).json()["data"]
    first = (await one.get("/1-step-000002/files?limit=2")).json()
    rest = (await one.get(f"/1-step-000002/files?after={first['next']}")).json()
    assert first["data"] + rest["data"] == every
    assert (first["has_more"], rest["has_more"]) == (True, False)


@pytest.mark.parametrize("path", ["config.json", "model.safetensors", "state/optimizer.pt"])
async def test_a_file_is_downloaded_as_it_was_written_with_its_digest_as_tag(
    plane: Plane, job: Any, path: str
) -> None:
    one: Saved = await job(plane)
    folder = one.put(1, 2)
    answer = await one.get(f"/1-step-000002/files/{path}")
    assert answer.status_code == 200
    assert answer.content == (folder / path).read_bytes()
    digest = hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["ETag"] == f'"{digest}"'
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    name = Path(path).name
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'


async def test_a_part_of_a_file_is_sent_while_it_is_the_same_file(plane: Plane, job: Any) -> None:
    one: Saved = await job(plane)
    whole = (one.put(1, 2) / "config.json").read_bytes()
    where = "/1-step-000002/files/config.json"
    tag = (await one.get(where)).headers["ETag"]
    part = await one.get(where, Range="bytes=5-14", **{"If-Range": tag})
    assert (part.status_code, part.content) == (206, whole[5:15])
    assert part.headers["Content-Range"] == f"bytes 5-14/{len(whole)}"
    end = await one.get(where, Range="bytes=-4")
    assert (end.status_code, end.content) == (206, whole[-4:])
    other = await one.get(where, Range="bytes=5-14", **{"If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole)
    behind = await one.get(where, Range=f"bytes={len(whole)}-")
    assert behind.status_code == 416


async def test_a_file_that_the_caller_has_is_not_sent_again(plane: Plane, job: Any) -> None:
    one: Saved = await job(plane)
    one.put(1, 2)
    for path in ("config.json", "manifest.json"):
        where = f"/1-step-000002/files/{path}"
        tag = (await one.get(where)).headers["ETag"]
        for given in (tag, f'W/{tag}, "x"', "*"):
            answer = await one.get(where, **{"If-None-Match": given})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["ETag"] == tag
        assert (await one.get(where, **{"If-None-Match": '"x"'})).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "nothing.json",
        "state",
        "",
        "..%2Fmanifest.json",
        "%2e%2e/step-000000/config.json",
        "%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fspec.json",
        "%252e%252e/config.json",
        "state/%2e%2e/config.json",
        "%2e/config.json",
        "state//optimizer.pt",
        "%2Fetc%2Fpasswd",
        "/etc/passwd",
        "config.json%00",
        "%00",
        "..%5C..%5Cspec.json",
        "link.json",
        "folder/config.json",
        "inside.json",
        "pipe",
        "x" * 300,
    ],
)
async def test_nothing_but_regular_files_of_the_folder_is_sent(
    plane: Plane, job: Any, path: str
) -> None:
    """Links are not followed, those that stay in the folder neither."""
    one: Saved = await job(plane)
    one.put(1, 0)
    folder = one.put(1, 2)
    (one.folder / "spec.json").write_text("{}")
    (folder / "link.json").symlink_to(one.folder / "spec.json")
    (folder / "inside.json").symlink_to(folder / "config.json")
    (folder / "folder").symlink_to(folder.with_name("step-000000"))
    os.mkfifo(folder / "pipe")
    request = one.http.build_request("GET", f"/v1/jobs/{one.id}/checkpoints/1-step-000002/files/x")
    raw = request.url.raw_path.removesuffix(b"x") + path.encode()
    request.url = request.url.copy_with(raw_path=raw)
    answer = await one.http.send(request)
    assert answer.status_code == 404, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    listed = {file["path"] for file in (await one.get("/1-step-000002/files")).json()["data"]}
    assert not listed & {"link.json", "inside.json", "folder/config.json", "pipe"}


@pytest.mark.parametrize(
    "name",
    [
        "1-step-000003", "2-step-000002", "01-step-000002", "1-step-0000002", "step-000002",
        "1-step-000002%00", "%2e%2e", "1-..", "1-step-000002%2F..%2Fstep-000002", "1-step-१२३४५६",
        "99999999999999999999-step-000002",
    ],
)  # fmt: skip
async def test_a_checkpoint_that_is_not_there_is_not_found(
    plane: Plane, job: Any, name: str
) -> None:
    one: Saved = await job(plane)
    one.put(1, 2)
    for path in ("files", "files/config.json", "archive"):
        answer = await one.get(f"/{name}/{path}")
        assert answer.status_code == 404, answer.text
        assert answer.json()["code"] in ("checkpoint_not_found", "not_found")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("?after=x", "invalid_cursor"),
        ("?after=" + "1" * 41, "invalid_request"),
        ("?limit=0", "invalid_request"),
        ("?limit=101", "invalid_request"),
        ("/" + "x" * 41 + "/files", "invalid_request"),
        ("/1-step-000002/files?limit=1001", "invalid_request"),
        ("/1-step-000002/files/" + "x" * 1001, "invalid_request"),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    plane: Plane, job: Any, path: str, code: str
) -> None:
    one: Saved = await job(plane)
    one.put(1, 2)
    answer = await one.get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


async def test_a_damaged_manifest_is_named(plane: Plane, job: Any) -> None:
    one: Saved = await job(plane)
    manifest = one.put(1, 2) / "manifest.json"
    for text in ("{", "[]", '{"files": {"a": 1}}', json.dumps({"format": 3})):
        manifest.write_text(text)
        answer = await one.get("/1-step-000002/files")
        assert (answer.status_code, answer.json()["code"]) == (500, "damaged_checkpoint")
        assert "checkpoint 1-step-000002 is damaged" in answer.json()["detail"]


async def test_a_folder_of_very_many_files_is_refused(
    plane: Plane, job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MOST_FILES", 3)
    one: Saved = await job(plane)
    one.put(1, 2)
    answer = await one.get("/1-step-000002/archive")
    assert (answer.status_code, answer.json()["code"]) == (500, "damaged_checkpoint")


async def test_the_archive_is_the_whole_checkpoint_with_its_manifest_last(
    plane: Plane, job: Any, tmp_path: Path
) -> None:
    one: Saved = await job(plane)
    folder = one.put(1, 2)
    (folder / "link.json").symlink_to(folder / "config.json")
    answer = await one.get("/1-step-000002/archive")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/x-tar"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    named = f'attachment; filename="{one.id}-1-step-000002.tar"'
    assert answer.headers["Content-Disposition"] == named
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as opened:
        assert opened.getnames()[-1] == "1-step-000002/manifest.json"
        assert not any(member.islnk() or member.issym() for member in opened)
        opened.extractall(tmp_path, filter="data")
    unpacked = tmp_path / "1-step-000002"
    assert read_manifest(unpacked) == read_manifest(folder)
    assert not (unpacked / "link.json").exists()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1025])
async def test_an_archive_is_as_long_as_it_says_and_any_tar_reads_it(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a path that does not fit into a tar's own header."""
    monkeypatch.setattr(disk_files, "CHUNK_BYTES", 100)
    content = bytes(number % 251 for number in range(size))
    paths = ["manifest.json", "a/" + "b" * 200 + "/c.bin"]
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    files = [DiskFile(path, tmp_path / path, (tmp_path / path).stat()) for path in paths]
    made = Archive("x", files)
    whole = b"".join(made.chunks())
    assert len(whole) == made.length
    with tarfile.open(fileobj=io.BytesIO(whole)) as opened:
        assert opened.getnames() == [f"x/{paths[1]}", "x/manifest.json"]
        for name in opened.getnames():
            found = opened.extractfile(name)
            assert found is not None and found.read() == content


async def test_an_archive_of_a_file_that_shrinks_or_becomes_a_link_ends_before_its_length(
    plane: Plane, job: Any
) -> None:
    one: Saved = await job(plane)
    folder = one.put(1, 2)
    found = find_checkpoint(DiskFiles(one.folder), "1-step-000002")
    assert found is not None
    made = Archive("x", files_of(found))
    weights = folder / "model.safetensors"
    os.truncate(weights, weights.stat().st_size - 7)
    sent: list[bytes] = []
    with pytest.raises(ServiceError, match=r"model\.safetensors lost 7 bytes while it was sent"):
        sent.extend(made.chunks())
    assert len(b"".join(sent)) < made.length
    weights.unlink()
    weights.symlink_to(one.folder / "spec.json")
    with pytest.raises(OSError, match="symbolic links"):
        list(made.chunks())
