"""The control plane is killed at every point of a job's life and started again."""

import threading
from itertools import pairwise
from typing import Any

import httpx

from rkd_online.client import Client
from rkd_online.service.schemas.event import Event
from rkd_online.service.settings import Settings
from rkd_online.service.state import TRANSITIONS, Status
from tests.integration.service.fake_ray import FakeRay
from tests.integration.service.process import Start, key, until
from tests.unit.spec.job import job

CHECKPOINT = {"step": 1, "path": "attempts/1/checkpoints/step-000001"}


class Life:
    """A job of one control plane after another."""

    def __init__(self, settings: Settings, ray: FakeRay, start: Start) -> None:
        self._settings = settings
        self._ray = ray
        self._start = start
        self._process = start()
        self.client = Client(settings.control_url, key(settings), patience_seconds=120)
        self._numbers: dict[int, int] = {}

    def die(self) -> None:
        """As by kill -9, and come back."""
        self._process.kill()
        self._process.wait(30)
        self._process = self._start()

    def until_launched(self, job_id: str, attempt: int) -> None:
        until(lambda: f"rkd-{job_id}-{attempt}" in self._ray.jobs, f"launch {attempt}")

    def until_status(self, job_id: str, status: str) -> None:
        until(lambda: self.client.get(job_id).status == status, f"{job_id} to be {status}")

    def report(self, job_id: str, attempt: int, kind: str, data: dict[str, Any]) -> None:
        """Sent twice: the answer may have been lost with the process."""
        self._numbers[attempt] = self._numbers.get(attempt, 0) + 1
        event = {"number": self._numbers[attempt], "type": kind, "data": data}
        for _ in range(2):
            httpx.post(
                f"{self._settings.control_url}/v1/internal/jobs/{job_id}/attempts/{attempt}/events",
                json=[event],
                headers={"Authorization": f"Bearer {self._ray.token(f'rkd-{job_id}-{attempt}')}"},
            ).raise_for_status()


def test_a_job_lives_through_the_death_of_its_control_plane_at_any_point(
    settings: Settings, ray: FakeRay, start: Start
) -> None:
    life = Life(settings, ray, start)
    job_id = life.client.submit(job()).id
    seen: list[Event] = []
    follower = threading.Thread(target=lambda: seen.extend(life.client.stream(job_id)))
    follower.start()
    life.die()
    life.until_launched(job_id, 1)
    life.die()
    life.report(job_id, 1, "started", {})
    life.die()
    step = {"step": 1, "version": 1, "staleness": 0, "timings": {}}
    life.report(job_id, 1, "step", step)
    life.report(job_id, 1, "checkpoint", CHECKPOINT)
    life.die()
    headers = {"Authorization": f"Bearer {key(settings)}"}
    path = f"{settings.control_url}/v1/jobs/{job_id}"
    assert httpx.post(f"{path}/pause", headers=headers).json()["status"] == "pausing"
    life.die()
    life.report(job_id, 1, "paused", {"step": 1})
    ray.ended.add(f"rkd-{job_id}-1")
    life.die()
    life.until_status(job_id, "paused")
    assert httpx.post(f"{path}/resume", headers=headers).json()["status"] == "queued"
    life.die()
    life.until_launched(job_id, 2)
    resumed = ray.jobs[f"rkd-{job_id}-2"]["runtime_env"]["env_vars"]["RKD_RESUME_FROM"]
    assert resumed.endswith(CHECKPOINT["path"])
    life.report(job_id, 2, "started", {})
    life.die()
    life.report(job_id, 2, "finished", {})
    life.die()
    life.until_status(job_id, "succeeded")
    follower.join(120)
    assert [event.number for event in seen] == list(range(1, len(seen) + 1))
    told = [event.type for event in seen if event.type != "status"]
    assert told == ["started", "step", "checkpoint", "paused", "started", "finished"]
    moves = [Status(event.data["status"]) for event in seen if event.type == "status"]
    assert all(after in TRANSITIONS[before] for before, after in pairwise(moves))
    assert sorted(ray.jobs) == [f"rkd-{job_id}-1", f"rkd-{job_id}-2"]
