"""Whatever happens to jobs, in any order: no illegal state, no lost or repeated event or launch.

Users act, runs report, die and fall silent, the cluster goes away, and the control plane is killed
and comes back, as hypothesis chooses.
"""

import asyncio
import tempfile
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from rkd_online.service.launchers.base import Launch, LauncherUnavailable, RunState, RunStatus
from rkd_online.service.settings import Settings
from rkd_online.service.state import ACTIVE, TERMINAL, TRANSITIONS, Status
from rkd_online.service.store import schema
from tests.unit.service.plane import Clock, FakeLauncher, Plane, open_plane

T = TypeVar("T")

REPORTS = ("started", "checkpoint", "step", "paused", "lost", "failed", "finished")
ACTIONS = ("pause", "resume", "cancel")


class JobLife(RuleBasedStateMachine):
    """Up to a few jobs on one control plane, seen through its API."""

    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.jobs: list[str] = []
        self.sent: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self.cluster: dict[tuple[str, int], RunStatus] = {}
        self.launches: list[tuple[str, int]] = []
        self.plane: Plane
        self.stack: AsyncExitStack

    def run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return self.runner.run(awaited())

    @initialize()
    def start(self) -> None:
        data = Path(self.folder.name)
        self.settings = Settings(
            data_dir=data,
            ray_auth_token_path=data / "none",
            max_running_jobs=2,
            max_attempts=2,
            retry_wait_seconds=0,
            requests_per_minute=0,
        )
        self.run(schema.upgrade(self.settings.database))
        self.run(self._open())
        self.submit()
        self.submit()

    async def _open(self) -> None:
        self.stack = AsyncExitStack()
        self.plane = await self.stack.enter_async_context(
            open_plane(self.settings, self.clock, self.cluster)
        )

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    @property
    def launcher(self) -> FakeLauncher:
        return self.plane.launcher

    @rule()
    def submit(self) -> None:
        if len(self.jobs) < 4:
            self.jobs.append(self.run(self.plane.submit()))

    @rule(which=st.integers(0, 3), action=st.sampled_from(ACTIONS))
    def act(self, which: int, action: str) -> None:
        if which < len(self.jobs):
            path = f"/v1/jobs/{self.jobs[which]}/{action}"
            before = self.run(self.plane.job(self.jobs[which]))
            answer = self.run(self.plane.http.post(path))
            assert answer.status_code in (200, 202, 409), answer.text
            if answer.status_code == 409:
                assert answer.json()["current_status"] == before["status"]
            if answer.status_code == 200:
                assert answer.json() == before

    @rule(which=st.integers(0, 3), rate=st.floats(1e-7, 1e-3))
    def change(self, which: int, rate: float) -> None:
        if which < len(self.jobs):
            body, headers = {"learning_rate": rate}, {"If-Match": "*"}
            path = f"/v1/jobs/{self.jobs[which]}"
            answer = self.run(self.plane.http.patch(path, json=body, headers=headers))
            assert answer.status_code in (200, 409)

    @rule(target=runs)
    def reconcile(self) -> Any:
        known = len(self.launcher.launches)
        self.run(self.plane.reconcile())
        begun = self.launcher.launches[known:]
        self.launches += [(launch.job_id, launch.attempt) for launch in begun]
        return multiple(*begun)

    @rule(launch=runs, kind=st.sampled_from(REPORTS))
    def report(self, launch: Launch, kind: str) -> None:
        """Also runs that are over, and that nobody wants any more."""
        sent = self.sent.setdefault((launch.job_id, launch.attempt), [])
        number = len(sent) + 1
        data: dict[str, Any] = {}
        if kind == "checkpoint":
            path = f"attempts/{launch.attempt}/checkpoints/step-{number:06}"
            data = {"step": number, "path": path}
        elif kind == "step":
            data = {"step": number, "version": number, "staleness": 0, "timings": {}}
        elif kind == "paused":
            data = {"step": 0}
        elif kind in ("lost", "failed"):
            data = {"message": "out of luck"}
        event = {"number": number, "type": kind, "data": data}
        answer = self.run(self.plane.send(launch, event))
        assert answer.status_code in (200, 409), answer.text
        if answer.status_code == 200:
            sent.append(event)

    @rule(launch=runs)
    def report_again(self, launch: Launch) -> None:
        """An answer was lost: all that was taken is sent a second time, and nothing is stored."""
        sent = self.sent.get((launch.job_id, launch.attempt), [])
        if sent:
            answer = self.run(self.plane.send(launch, *sent))
            assert (answer.status_code, answer.json()["accepted"]) == (200, 0)

    @rule(launch=runs, state=st.sampled_from([state for state in RunState if state.over]))
    def end_run(self, launch: Launch, state: RunState) -> None:
        self.launcher.end(launch.job_id, launch.attempt, state, "it ended")

    @rule(seconds=st.sampled_from([1.0, 25.0, 130.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.clock.pass_by(seconds)

    @rule(away=st.booleans(), hidden=st.booleans())
    def cluster_away(self, away: bool, hidden: bool) -> None:
        self.launcher.trouble = LauncherUnavailable("away") if away else None
        self.launcher.hidden = LauncherUnavailable("away") if hidden else None

    @rule()
    def killed_and_restarted(self) -> None:
        """The runs go on; the new process knows only what the database says."""
        self.run(self.stack.aclose())
        self.run(self._open())

    @invariant()
    def every_story_is_whole_and_legal(self) -> None:
        for job_id in self.jobs:
            job = self.run(self.plane.job(job_id))
            events = self.run(self.plane.events(job_id))
            assert [event["number"] for event in events] == list(range(1, len(events) + 1))
            moves = [
                Status(event["data"]["status"]) for event in events if event["type"] == "status"
            ]
            assert moves[0] is Status.QUEUED
            for before, after in pairwise(moves):
                assert after in TRANSITIONS[before], (before, after)
            assert job["status"] == moves[-1]
            assert (job["finished_at"] is not None) == (moves[-1] in TERMINAL)
            assert moves.count(Status.STARTING) == job["attempt"]

    @invariant()
    def every_report_that_was_taken_is_kept_once(self) -> None:
        for (job_id, attempt), sent in self.sent.items():
            events = self.run(self.plane.events(job_id))
            kept = [event["type"] for event in events if event["attempt"] == attempt]
            told = [kind for kind in kept if kind in REPORTS]
            assert told == [event["type"] for event in sent]

    @invariant()
    def no_attempt_is_launched_twice_and_no_more_run_than_may(self) -> None:
        assert len(set(self.launches)) == len(self.launches)
        statuses = [self.run(self.plane.job(job_id))["status"] for job_id in self.jobs]
        assert sum(status in ACTIVE for status in statuses) <= 2


TestJobLife = JobLife.TestCase
TestJobLife.settings = settings(
    max_examples=15,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
