"""What the control plane does about runs, pass by pass."""

import asyncio

import pytest

from rkd_online.service.app import create_app
from rkd_online.service.launchers.base import (
    LauncherUnavailable,
    RunState,
    RunStatus,
)
from rkd_online.service.reconcile.reconciler import gap
from rkd_online.service.settings import Settings
from tests.unit.service.plane import SPEC, Clock, FakeLauncher, Plane, first_client, open_plane

pytestmark = pytest.mark.asyncio

AWAY = LauncherUnavailable("Ray is not reachable at http://127.0.0.1:8265")


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.STOPPED, RunState.UNKNOWN])
async def test_a_run_that_died_is_followed_by_one_from_the_last_accepted_checkpoint(
    plane: Plane, state: RunState
) -> None:
    launch = await plane.running()
    path = "attempts/1/checkpoints/step-000002"
    await plane.send(launch, {"number": 2, "type": "checkpoint", "data": {"step": 2, "path": path}})
    plane.launcher.end(launch.job_id, 1, state, "exit code 137")
    await plane.reconcile()
    second = plane.launcher.launches[-1]
    assert (second.attempt, second.resume_from) == (2, launch.job_dir / path)
    assert second.token != launch.token
    [lost] = [e for e in await plane.events(launch.job_id) if e["type"] == "attempt_lost"]
    assert lost["data"] == {
        "cause": f"its run is {state}: exit code 137",
        "log": "Killed",
        "losses": 1,
        "most": 3,
    }
    assert lost["attempt"] == 1
    assert (await plane.job(launch.job_id))["status"] == "starting"


async def test_the_last_attempts_loss_fails_the_job_with_its_cause(plane: Plane) -> None:
    job_id = await plane.submit()
    for attempt in (1, 2, 3):
        await plane.reconcile()
        plane.launcher.end(job_id, attempt, RunState.FAILED, "exit code 137")
        await plane.reconcile()
    job = await plane.job(job_id)
    assert (job["status"], job["attempt"]) == ("failed", 3)
    assert job["error"] == "attempt 3 was lost, 3 of 3: its run is failed: exit code 137"
    assert len(plane.launcher.launches) == 3


async def test_a_lost_runs_own_words_are_the_cause_of_its_loss_and_of_the_jobs_end(
    plane: Plane,
) -> None:
    job_id = await plane.submit()
    for attempt in (1, 2, 3):
        await plane.reconcile()
        words = f"the learner's actor died in step {attempt}"
        event = {"number": 1, "type": "lost", "data": {"message": words}}
        answer = await plane.send(plane.launcher.launches[-1], event)
        assert answer.json() == {"accepted": 1, "status": "starting", "changes": None}
        plane.launcher.end(job_id, attempt, RunState.FAILED, "entrypoint failed with exit code 1")
        await plane.reconcile()
    events = await plane.events(job_id)
    told = [event["data"]["message"] for event in events if event["type"] == "lost"]
    lost = [event["data"]["cause"] for event in events if event["type"] == "attempt_lost"]
    assert lost == told == [f"the learner's actor died in step {attempt}" for attempt in (1, 2, 3)]
    job = await plane.job(job_id)
    assert job["error"] == "attempt 3 was lost, 3 of 3: the learner's actor died in step 3"


async def test_a_run_that_says_it_is_lost_and_hangs_is_lost_for_what_it_said(
    plane: Plane,
) -> None:
    launch = await plane.running()
    told = {"number": 2, "type": "lost", "data": {"message": "the teacher's node is gone"}}
    await plane.send(launch, told)
    await plane.reconcile()
    assert (await plane.job(launch.job_id))["status"] == "running"
    for _ in range(5):
        plane.clock.pass_by(25)
        await plane.reconcile()
    [lost] = [e for e in await plane.events(launch.job_id) if e["type"] == "attempt_lost"]
    assert lost["data"]["cause"] == "the teacher's node is gone"
    assert plane.launcher.stopped == [(launch.job_id, 1)]


async def test_a_run_that_falls_silent_is_stopped_and_replaced_when_it_is_gone(
    plane: Plane,
) -> None:
    launch = await plane.running()
    for _ in range(5):
        plane.clock.pass_by(25)
        await plane.reconcile()
    assert plane.launcher.stopped == [(launch.job_id, 1)]
    assert (await plane.job(launch.job_id))["status"] == "queued"
    [lost] = [e for e in await plane.events(launch.job_id) if e["type"] == "attempt_lost"]
    assert lost["data"]["cause"] == "no report for 125 s (heartbeat_timeout_seconds is 120)"
    plane.launcher.end(launch.job_id, 1, RunState.STOPPED)
    await plane.reconcile()
    assert plane.launcher.launches[-1].attempt == 2


async def test_a_run_that_reports_at_the_last_moment_is_neither_lost_nor_stopped(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = await plane.running()
    log_tail = plane.launcher.log_tail

    async def report_meanwhile(job_id: str, attempt: int, lines: int) -> str:
        await plane.send(launch)
        return await log_tail(job_id, attempt, lines)

    monkeypatch.setattr(plane.launcher, "log_tail", report_meanwhile)
    for _ in range(5):
        plane.clock.pass_by(25)
        await plane.reconcile()
    assert (await plane.job(launch.job_id))["status"] == "running"
    assert plane.launcher.stopped == []


async def test_a_run_that_never_reports_is_lost_after_its_start_timeout(plane: Plane) -> None:
    job_id = await plane.submit()
    await plane.reconcile()
    for _ in range(12):
        plane.clock.pass_by(25)
        await plane.reconcile()
    assert (await plane.job(job_id))["status"] == "starting"
    plane.clock.pass_by(25)
    await plane.reconcile()
    [lost] = [e for e in await plane.events(job_id) if e["type"] == "attempt_lost"]
    assert lost["data"]["cause"] == "no report for 325 s (start_timeout_seconds is 300)"


async def test_time_in_which_nobody_listened_is_no_silence(plane: Plane) -> None:
    launch = await plane.running()
    await plane.reconcile()
    plane.clock.pass_by(3600)
    await plane.reconcile()
    plane.clock.pass_by(25)
    await plane.reconcile()
    assert (await plane.job(launch.job_id))["status"] == "running"


async def test_heartbeats_keep_a_job_running_while_rays_dashboard_is_away(plane: Plane) -> None:
    launch = await plane.running()
    plane.launcher.trouble = AWAY
    for _ in range(10):
        plane.clock.pass_by(25)
        await plane.send(launch)
        await plane.reconcile()
    assert (await plane.job(launch.job_id))["status"] == "running"


async def test_a_run_that_ended_well_without_its_last_report_has_succeeded(plane: Plane) -> None:
    launch = await plane.running()
    plane.launcher.end(launch.job_id, 1, RunState.SUCCEEDED)
    await plane.reconcile()
    assert (await plane.job(launch.job_id))["status"] == "succeeded"
    assert "last report never came" in (await plane.events(launch.job_id))[-1]["data"]["reason"]


async def test_a_running_job_is_cancelled_when_its_run_has_ended(plane: Plane) -> None:
    launch = await plane.running()
    answer = await plane.cancel(launch.job_id)
    assert (answer.status_code, answer.json()["status"]) == (202, "stopping")
    await plane.reconcile()
    assert plane.launcher.stopped == [(launch.job_id, 1)]
    assert (await plane.job(launch.job_id))["status"] == "stopping"
    assert (await plane.cancel(launch.job_id)).status_code == 200
    plane.launcher.end(launch.job_id, 1, RunState.STOPPED)
    await plane.reconcile()
    assert (await plane.job(launch.job_id))["status"] == "cancelled"
    assert (await plane.send(launch)).status_code == 409


async def test_a_stop_that_ray_does_not_confirm_still_ends_in_cancelled(plane: Plane) -> None:
    launch = await plane.running()
    await plane.cancel(launch.job_id)
    for _ in range(3):
        plane.clock.pass_by(25)
        await plane.reconcile()
    assert (await plane.job(launch.job_id))["status"] == "cancelled"
    assert "within 60 s" in (await plane.events(launch.job_id))[-1]["data"]["reason"]


async def test_a_finished_run_that_hangs_keeps_its_place_until_it_is_stopped(
    plane: Plane,
) -> None:
    launch = await plane.running()
    await plane.send(launch, {"number": 2, "type": "finished"})
    other = await plane.submit()
    await plane.reconcile()
    assert plane.launcher.stopped == []
    plane.clock.pass_by(31)
    await plane.reconcile()
    assert plane.launcher.stopped == [(launch.job_id, 1)]
    assert (await plane.job(other))["status"] == "queued"
    plane.launcher.end(launch.job_id, 1, RunState.STOPPED)
    await plane.reconcile()
    assert plane.launcher.launches[-1].job_id == other


async def test_trouble_with_one_job_does_not_keep_others_from_being_looked_after(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = settings.model_copy(update={"max_running_jobs": 2})
    async with open_plane(two, clock) as plane:
        broken, well = await plane.running(), await plane.running()
        status = plane.launcher.status

        async def of_one(job_id: str, attempt: int) -> RunStatus:
            if job_id == broken.job_id:
                raise RuntimeError("a bug")
            return await status(job_id, attempt)

        monkeypatch.setattr(plane.launcher, "status", of_one)
        plane.launcher.end(well.job_id, 1, RunState.FAILED)
        await plane.reconcile()
        assert (await plane.job(broken.job_id))["status"] == "running"
        assert (await plane.job(well.job_id))["attempt"] == 2


async def test_a_restarted_control_plane_goes_on_with_what_it_finds(
    plane: Plane, settings: Settings, clock: Clock
) -> None:
    running = await plane.running()
    queued = await plane.submit()
    clock.pass_by(3600)
    async with open_plane(settings, clock, runs=plane.launcher.runs) as again:
        await again.reconcile()
        assert again.launcher.launches == []
        sent = await again.send(running, {"number": 2, "type": "finished"})
        assert sent.json()["status"] == "succeeded"
        again.launcher.end(running.job_id, 1, RunState.SUCCEEDED)
        await again.reconcile()
        assert [launch.job_id for launch in again.launcher.launches] == [queued]
        numbers = [event["number"] for event in await again.events(running.job_id)]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_the_app_itself_reconciles_while_it_lives(settings: Settings) -> None:
    launcher = FakeLauncher()
    app = create_app(settings, launcher)
    async with app.router.lifespan_context(app), first_client(app, settings) as http:
        job_id = (await http.post("/v1/jobs", json=SPEC)).json()["id"]
        async with asyncio.timeout(30):
            while not launcher.launches:
                await asyncio.sleep(0.01)
    assert [launch.job_id for launch in launcher.launches] == [job_id]


async def test_health_fails_when_no_job_has_been_looked_after_for_long(plane: Plane) -> None:
    await plane.reconcile()
    assert (await plane.http.get("/readyz")).json()["status"] == "ok"
    plane.clock.pass_by(301)
    answer = await plane.http.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "reconciler_stalled")


@pytest.mark.parametrize(
    ("took", "poll_seconds", "seconds"),
    [(0.0, 5.0, 0.25), (0.06, 5.0, 0.25), (0.25, 5.0, 1.0), (30.0, 5.0, 5.0), (0.0, 0.1, 0.1)],
)
async def test_passes_that_are_asked_for_take_a_fifth_of_the_time_at_the_most(
    took: float, poll_seconds: float, seconds: float
) -> None:
    assert gap(took, poll_seconds) == seconds
