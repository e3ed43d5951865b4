"""Every block of docs/api.md does what the page says, on a real server with a stand-in for Ray."""

import contextlib
import io
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rkd_online.client import Client
from rkd_online.service.settings import Settings
from tests.integration.service.fake_ray import FakeRay
from tests.integration.service.process import Start, key, until
from tests.unit.spec.job import job as tiny

PAGE = Path(__file__).resolve().parents[3] / "docs" / "api.md"
ADDRESS = "http://127.0.0.1:8420"
DONE = "-- done --"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The page is followed where the control plane was started."""
    monkeypatch.chdir(tmp_path)
    return settings.model_copy(update={"data_dir": tmp_path / ".rkd"})


class Shell:
    """One bash for all blocks, as a reader would have it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def run(self, block: str) -> str:
        """What a block prints. A command that fails ends the shell, and the test."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{block}\necho; echo '{DONE}'\n")
        self._process.stdin.flush()
        seen: list[str] = []
        for line in self._process.stdout:
            if line == f"{DONE}\n":
                return "".join(seen).strip()
            seen.append(line)
        raise AssertionError(f"this block failed:\n{block}\n{''.join(seen)}")

    def take(self, job: str) -> None:
        """Be about another job from now on."""
        self.run(f"JOB={job}")

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


class Python:
    """One namespace for all blocks."""

    def __init__(self, settings: Settings) -> None:
        self._names: dict[str, Any] = {}
        os.environ["RKD_URL"] = settings.control_url
        os.environ["RKD_API_KEY"] = key(settings)

    def run(self, block: str) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block, str(PAGE), "exec"), self._names)
        return out.getvalue().strip()

    def take(self, job: str) -> None:
        self._names["job"] = self._names["client"].get(job)

    def end(self) -> None:
        self._names["client"].close()
        del os.environ["RKD_URL"], os.environ["RKD_API_KEY"]


class Runs:
    """Does what runs of jobs would do."""

    def __init__(self, settings: Settings, ray: FakeRay) -> None:
        self._settings = settings
        self._ray = ray

    def launched(self, job: str, attempt: int = 1) -> None:
        until(lambda: f"rkd-{job}-{attempt}" in self._ray.jobs, f"attempt {attempt} of {job}")

    def report(self, job: str, *events: dict[str, Any], attempt: int = 1) -> None:
        self.launched(job, attempt)
        httpx.post(
            f"{self._settings.control_url}/v1/internal/jobs/{job}/attempts/{attempt}/events",
            json=list(events),
            headers={"Authorization": f"Bearer {self._ray.token(f'rkd-{job}-{attempt}')}"},
        ).raise_for_status()

    def go_through(self, job: str) -> None:
        """From the start to the end, with a checkpoint."""
        metrics = {"reward/mean": 0.25, "policy/kl_teacher": 0.125}
        report = {"step": 60, "version": 60, "staleness": 0, "timings": {}, "metrics": metrics}
        folder = self._settings.job_dir(job) / "attempts" / "1" / "checkpoints" / "step-000060"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({"files": {}}))
        self.report(
            job,
            {"number": 1, "type": "started"},
            {"number": 2, "type": "step", "data": report},
            {"number": 3, "type": "finished"},
        )
        self.end(job)

    def end(self, job: str) -> None:
        """The process of the first attempt is gone."""
        self._ray.ended.add(f"rkd-{job}-1")


@pytest.fixture(params=["sh", "python"])
def follow(
    request: pytest.FixtureRequest,
    settings: Settings,
    start: Start,
    ray: FakeRay,
) -> "Iterator[Follower]":
    language: str = request.param
    start()
    reader = Shell() if language == "sh" else Python(settings)
    with Client(settings.control_url, key(settings)) as client:
        yield Follower(language, reader, settings, Runs(settings, ray), client)
    reader.end()


class Follower:
    """Reads the page in one language, section by section."""

    def __init__(
        self,
        language: str,
        reader: Shell | Python,
        settings: Settings,
        runs: Runs,
        client: Client,
    ) -> None:
        page = PAGE.read_text().replace(ADDRESS, settings.control_url)
        self._sections = {
            section.partition("\n")[0]: re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
            for section in page.split("\n## ")[1:]
        }
        self._reader = reader
        self.runs = runs
        self.client = client

    def section(self, title: str, between: Callable[[], None] = lambda: None) -> list[str]:
        """What each of its blocks prints. ``between`` two of them something else happens."""
        blocks = self._sections.pop(title)
        assert blocks, title
        found = [self._reader.run(blocks[0])]
        for block in blocks[1:]:
            between()
            found.append(self._reader.run(block))
        return found

    def take(self, job: str) -> None:
        self._reader.take(job)

    @property
    def left(self) -> list[str]:
        return list(self._sections)


@pytest.mark.timeout(280)
def test_the_page_can_be_followed_from_its_beginning_to_its_end(follow: Follower) -> None:
    runs, client = follow.runs, follow.client
    follow.section("Before you begin")
    (first,) = follow.section("Submit a job")
    record = client.get(first)
    assert (record.name, record.labels) == ("quickstart", {"team": "reasoning"})
    assert record.budget is not None and record.budget.wall_seconds == 7200

    runs.launched(first)
    running = threading.Thread(target=runs.go_through, args=(first,))
    running.start()
    (watched,) = follow.section("Watch it")
    running.join()
    assert "finished" in watched and watched.count("succeeded") >= 1

    (listed,) = follow.section("List jobs by label")
    assert first in listed

    second = client.submit(tiny()).id
    runs.report(second, {"number": 1, "type": "started"})
    follow.take(second)
    (changed,) = follow.section("Change the learning rate of a job that runs")
    assert "1e-05" in changed or "0.00001" in changed
    assert client.get(second).spec["optimizer"]["learning_rate"] == 1e-5

    paused = {"number": 2, "type": "paused", "data": {"step": 1}}

    def has_paused() -> None:
        runs.report(second, paused)
        runs.end(second)

    pausing, queued = follow.section("Pause and resume", has_paused)
    assert ("pausing" in pausing, "queued" in queued) == (True, True)
    runs.launched(second, 2)

    follow.take(first)
    (fetched,) = follow.section("Download a checkpoint")
    assert "1-step-000060" in fetched
    (read,) = follow.section("Read metrics")
    assert "0.25" in read and "0.125" in read and "reward/mean" in read

    (made,) = follow.section("Make a key for a colleague")
    secret = re.search(r"rkd_[a-z0-9]+_[a-z0-9]+", made)
    assert secret is not None
    with Client(client.url, secret.group()) as ada:
        assert (ada.whoami().name, ada.whoami().project) == ("ada", "default")

    follow.section("Set a quota")
    quota = client.project("default").quota
    assert (quota.max_active_jobs, quota.max_queued_jobs, quota.max_gpus) == (2, 20, None)
    (audit,) = follow.section("See what happened")
    for action in ("project.quota", "key.make", "job.resume", "job.pause", "job.change"):
        assert action in audit
    assert follow.left == []


def test_every_task_is_shown_with_curl_and_with_the_client() -> None:
    sections = PAGE.read_text().split("\n## ")[1:]
    assert len(sections) == 11
    for section in sections:
        blocks = re.findall(r"^```(\w+)$", section, re.MULTILINE)
        assert blocks.count("sh") == blocks.count("python") > 0, section.partition("\n")[0]
        assert set(blocks) == {"sh", "python"}
