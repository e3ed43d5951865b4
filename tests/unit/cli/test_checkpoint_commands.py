"""rkd checkpoints: listed, fetched, gone on with, checked."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.cli.answers import JOB, Answers
from tests.unit.cli.conftest import Rkd

NAME = "1-step-000020"
HERE = f"/v1/jobs/{JOB}/checkpoints"
WEIGHTS = bytes(range(256)) * 40
CONTENT = {
    "config.json": b"{}",
    "manifest.json": b'{"files": {}}',
    "optimizer/state.bin": b"state",
    "w.bin": WEIGHTS,
}


def checkpoint(name: str, **more: Any) -> dict[str, Any]:
    attempt, _, step = name.partition("-step-")
    return {
        "name": name,
        "attempt": int(attempt),
        "step": int(step),
        "path": f"attempts/{attempt}/checkpoints/step-{step}",
        "written_at": "2026-03-01T12:00:45Z",
        "files": 4,
        "bytes": 3_145_728,
        "resumes": False,
        "last": None,
        "best": None,
        "evaluations": [],
    } | more


def listed(*records: Any) -> Any:
    return {"data": records, "has_more": False, "next": None}


def file(path: str, content: bytes) -> dict[str, Any]:
    digest = None if path == "manifest.json" else hashlib.sha256(content).hexdigest()
    return {"path": path, "bytes": len(content), "sha256": digest}


class Disk:
    """Serves the files of a checkpoint; ``cut`` ends a transfer after so many bytes."""

    def __init__(self) -> None:
        self.content = dict(CONTENT)
        self.cut: dict[str, int] = {}
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(f"{HERE}/{NAME}/files/")
        found = self.content[path]
        asked = request.headers.get("Range", "")
        self.asked.append((path, asked))
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if asked:
            assert request.headers["If-Range"] == f'"{hashlib.sha256(found).hexdigest()}"'
        return httpx.Response(206 if asked else 200, content=self._sent(path, found[start:]))

    def _sent(self, path: str, content: bytes) -> Iterator[bytes]:
        yield content[: self.cut.get(path, len(content))]
        if path in self.cut:
            del self.cut[path]
            raise httpx.ReadError("connection reset")


@pytest.fixture
def disk(answers: Answers) -> Disk:
    disk = Disk()
    files = [file(path, content) for path, content in CONTENT.items()]
    answers.by_path = {
        f"GET {HERE}": listed(checkpoint(NAME, resumes=True), checkpoint("1-step-000010")),
        f"GET {HERE}/{NAME}/files": listed(*files),
        **{f"GET {HERE}/{NAME}/files/{path}": disk for path in CONTENT},
    }
    return disk


def held(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_checkpoints_are_listed_with_what_is_known(rkd: Rkd, answers: Answers) -> None:
    value = {"value": 0.625, "low": 0.5, "high": 0.75, "n": 128}
    measured = {"name": "validation-000020", "split": "validation"}
    best = checkpoint(
        NAME, best=True, evaluations=[measured | {"pass_at_1": {"temperature_1": value}}]
    )
    answers.by_path = {f"GET {HERE}": listed(best, checkpoint("1-step-000010", resumes=True))}
    _, first, second = rkd("checkpoints", "list", JOB).out.splitlines()
    assert first.split()[:2] == [NAME, "20"]
    assert first.endswith("4      3.1 MB  validation 0.625  best")
    assert second.endswith("goes on from it")
    assert len(json.loads(rkd("checkpoints", "list", JOB, "--json").out)["data"]) == 2


def test_a_job_without_checkpoints_says_so(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {f"GET {HERE}": listed()}
    assert rkd("checkpoints", "list", JOB).out == f"{JOB} has no checkpoint yet\n"
    assert rkd("checkpoints", "download", JOB).err == (
        f"error: {JOB} has no checkpoint yet: `rkd checkpoints list {JOB}` shows what it keeps\n"
    )


def test_the_newest_checkpoint_is_fetched_whole_with_its_manifest_last(
    rkd: Rkd, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = rkd("checkpoints", "download", JOB)
    assert (outcome.code, outcome.err) == (0, f"fetching {NAME}, 10.3 kB\n")
    assert outcome.out == f"{NAME} is in {JOB}-{NAME}: 4 files, 10.3 kB\n"
    assert held(tmp_path / f"{JOB}-{NAME}") == CONTENT
    assert disk.asked == [
        *(("config.json", ""), ("optimizer/state.bin", ""), ("w.bin", ""), ("manifest.json", ""))
    ]


def test_a_fetch_that_was_cut_goes_on_where_it_was(rkd: Rkd, disk: Disk, tmp_path: Path) -> None:
    out = tmp_path / "student"
    disk.cut["w.bin"] = 1000
    outcome = rkd("checkpoints", "download", JOB, NAME, "--out", str(out))
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith(f"error: w.bin of checkpoint {NAME} from http")
    assert "broke off (ReadError: connection reset): ask for it again" in outcome.err
    assert set(held(out)) == {"config.json", "optimizer/state.bin", "w.bin.part"}
    disk.asked.clear()
    outcome = rkd("checkpoints", "download", JOB, NAME, "--out", str(out), "--json")
    assert held(out) == CONTENT
    assert disk.asked == [("w.bin", "bytes=1000-"), ("manifest.json", "")]
    shown = json.loads(outcome.out)
    assert (shown["checkpoint"], shown["folder"], len(shown["files"])) == (NAME, str(out), 4)


@pytest.mark.parametrize("came", [WEIGHTS[:-1] + b"x", WEIGHTS[:-1], WEIGHTS + b"x"])
def test_what_did_not_come_as_it_was_written_is_not_kept(
    rkd: Rkd, disk: Disk, tmp_path: Path, came: bytes
) -> None:
    disk.content["w.bin"] = came
    outcome = rkd("checkpoints", "download", JOB, NAME, "--out", str(tmp_path / "out"))
    assert (outcome.code, outcome.err.splitlines()[-1]) == (
        1,
        f"error: w.bin of {NAME} did not come as it was written: fetch it again",
    )
    assert set(held(tmp_path / "out")) == {"config.json", "optimizer/state.bin"}


def test_a_folder_with_something_else_is_left_alone(rkd: Rkd, disk: Disk, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    outcome = rkd("checkpoints", "download", JOB, NAME, "--out", str(tmp_path))
    assert (outcome.code, outcome.err) == (
        1,
        f"error: {tmp_path} has thesis.tex, which is no part of {NAME}: choose another folder with "
        "--out\n",
    )
    assert disk.asked == []


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil"])
def test_no_file_is_written_outside_the_folder(
    rkd: Rkd, answers: Answers, disk: Disk, tmp_path: Path, path: str
) -> None:
    answers.by_path[f"GET {HERE}/{NAME}/files"] = listed(file(path, b""))
    outcome = rkd("checkpoints", "download", JOB, NAME, "--out", str(tmp_path / "out"))
    assert (outcome.code, outcome.err) == (
        1,
        f"error: the checkpoint has a file {path!r}, which lies outside its folder\n",
    )


def test_the_best_checkpoint_is_there_once_a_report_is(rkd: Rkd, answers: Answers) -> None:
    answers.by_path = {
        f"GET {HERE}": [
            listed(checkpoint(NAME), checkpoint("1-step-000010")),
            listed(checkpoint(NAME, best=False), checkpoint("1-step-000010", best=True)),
        ],
        f"GET {HERE}/1-step-000010/files": listed(file("w.bin", WEIGHTS)),
    }
    assert (
        "has no report yet that calls one the best" in rkd("checkpoints", "files", JOB, "best").err
    )
    _, row = rkd("checkpoints", "files", JOB, "best").out.splitlines()
    assert row.split() == ["w.bin", "10.2", "kB", hashlib.sha256(WEIGHTS).hexdigest()]


def test_a_checkpoint_can_be_one_tar(
    rkd: Rkd, answers: Answers, disk: Disk, tmp_path: Path
) -> None:
    answers.by_path[f"GET {HERE}/{NAME}/archive"] = b"a tar"
    target = tmp_path / "student.tar"
    found = json.loads(rkd("checkpoints", "download", JOB, "--tar", str(target), "--json").out)
    assert target.read_bytes() == b"a tar"
    assert found == {"checkpoint": NAME, "tar": str(target), "bytes": 5}


def test_a_tar_that_broke_off_is_not_kept(
    rkd: Rkd, answers: Answers, disk: Disk, tmp_path: Path
) -> None:
    def cut() -> Iterator[bytes]:
        yield b"a t"
        raise httpx.ReadError("connection reset")

    answers.by_path[f"GET {HERE}/{NAME}/archive"] = httpx.Response(200, content=cut())
    target = tmp_path / "student.tar"
    outcome = rkd("checkpoints", "download", JOB, "--tar", str(target))
    assert (outcome.code, target.exists()) == (1, False)
    assert "broke off (ReadError" in outcome.err


def test_a_tar_that_lay_there_survives_a_refusal_and_one_that_broke_off(
    rkd: Rkd, answers: Answers, disk: Disk, tmp_path: Path
) -> None:
    def cut() -> Iterator[bytes]:
        yield b"a t"
        raise httpx.ReadError("connection reset")

    target = tmp_path / "student.tar"
    target.write_bytes(b"of yesterday")
    assert rkd("checkpoints", "download", JOB, "--tar", str(target)).code == 1
    answers.by_path[f"GET {HERE}/{NAME}/archive"] = httpx.Response(200, content=cut())
    assert rkd("checkpoints", "download", JOB, "--tar", str(target)).code == 1
    assert target.read_bytes() == b"of yesterday"
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".part"] == []
