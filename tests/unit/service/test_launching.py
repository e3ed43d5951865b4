"""How runs are started, and what happens where they cannot be."""

import json

import pytest

from rkd_online.service.launchers.base import (
    Launch,
    LauncherError,
    LauncherRefused,
    LauncherUnavailable,
    RunState,
)
from rkd_online.service.settings import Settings
from tests.unit.service.plane import Clock, Plane, open_plane

pytestmark = pytest.mark.asyncio

AWAY = LauncherUnavailable("Ray is not reachable at http://127.0.0.1:8265")


async def test_jobs_start_one_at_a_time_in_the_order_of_their_submission(plane: Plane) -> None:
    first = await plane.submit()
    plane.clock.pass_by(1)
    second = await plane.submit()
    await plane.reconcile()
    await plane.reconcile()
    assert [launch.job_id for launch in plane.launcher.launches] == [first]
    assert (await plane.job(second))["status"] == "queued"
    await plane.send(plane.launcher.launches[0], {"number": 1, "type": "finished"})
    plane.launcher.end(first, 1, RunState.SUCCEEDED)
    await plane.reconcile()
    assert [launch.job_id for launch in plane.launcher.launches] == [first, second]


async def test_the_resolved_spec_lies_in_the_jobs_folder_before_its_run_starts(
    plane: Plane, settings: Settings
) -> None:
    job_id = await plane.submit()
    await plane.reconcile()
    [launch] = plane.launcher.launches
    assert launch.job_dir == settings.data_dir / "runs" / job_id
    spec = json.loads((launch.job_dir / "spec.json").read_text())
    assert spec == (await plane.job(job_id))["spec"]
    assert launch.resume_from is None


async def test_a_run_is_launched_for_the_device_of_its_spec(plane: Plane) -> None:
    first = await plane.submit()
    await plane.reconcile()
    await plane.cancel(first)
    plane.launcher.end(first, 1, RunState.STOPPED)
    gpu = {"gpus": 1}
    await plane.submit(resources={"device": "cuda", "generator": gpu, "learner": gpu})
    await plane.reconcile()
    await plane.reconcile()
    assert [launch.spec.resources.device for launch in plane.launcher.launches] == ["cpu", "cuda"]


@pytest.mark.parametrize("error", [AWAY, LauncherRefused("Ray does not accept the token")])
async def test_while_ray_does_not_tell_its_room_the_job_waits_and_says_why_once(
    plane: Plane, error: LauncherError
) -> None:
    plane.launcher.hidden = plane.launcher.trouble = error
    job_id = await plane.submit()
    for _ in range(3):
        await plane.reconcile()
        plane.clock.pass_by(100)
    reason = f"waits for the cluster: {error}"
    told = [event["data"] for event in await plane.events(job_id) if event["type"] == "waiting"]
    assert told == [{"reason": reason}]
    job = await plane.job(job_id)
    assert (job["status"], job["waiting"], job["attempt"]) == ("queued", reason, 0)
    plane.launcher.hidden = plane.launcher.trouble = None
    await plane.reconcile()
    assert [launch.attempt for launch in plane.launcher.launches] == [1]
    assert (await plane.job(job_id))["waiting"] is None


async def test_a_ray_that_is_away_when_the_job_is_launched_delays_it_and_says_why_once(
    plane: Plane,
) -> None:
    plane.launcher.trouble = AWAY
    job_id = await plane.submit()
    for _ in range(3):
        await plane.reconcile()
    delays = [event for event in await plane.events(job_id) if event["type"] == "launch_delayed"]
    assert [event["data"] for event in delays] == [{"cause": str(AWAY)}]
    assert (await plane.job(job_id))["status"] == "starting"
    plane.launcher.trouble = None
    await plane.reconcile()
    assert [launch.attempt for launch in plane.launcher.launches] == [1]


async def test_a_job_whose_folder_cannot_be_written_waits_until_it_can(
    plane: Plane, settings: Settings
) -> None:
    """As on a full disk."""
    job_id = await plane.submit()
    in_the_way = settings.job_dir(job_id)
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.touch()
    for _ in range(2):
        await plane.reconcile()
    delays = [event for event in await plane.events(job_id) if event["type"] == "launch_delayed"]
    assert [str(in_the_way) in event["data"]["cause"] for event in delays] == [True]
    assert (await plane.job(job_id))["status"] == "starting"
    in_the_way.unlink()
    await plane.reconcile()
    assert [launch.attempt for launch in plane.launcher.launches] == [1]


async def test_a_ray_that_stays_away_fails_the_job_and_frees_its_place(plane: Plane) -> None:
    plane.launcher.trouble = AWAY
    job_id = await plane.submit()
    await plane.reconcile()
    plane.clock.pass_by(20)
    await plane.reconcile()
    for _ in range(6):
        plane.clock.pass_by(20)
        await plane.reconcile()
    job = await plane.job(job_id)
    assert job["status"] == "failed"
    assert job["error"] == f"{AWAY} (tried for 120 s: launch_timeout_seconds)"
    plane.launcher.trouble = None
    other = await plane.submit()
    await plane.reconcile()
    assert [launch.job_id for launch in plane.launcher.launches] == [other]


async def test_a_wrong_token_fails_the_job_at_once(plane: Plane) -> None:
    plane.launcher.trouble = LauncherRefused("Ray does not accept the token: set RAY_AUTH_TOKEN")
    job_id = await plane.submit()
    await plane.reconcile()
    job = await plane.job(job_id)
    assert (job["status"], job["error"]) == ("failed", str(plane.launcher.trouble))


async def test_a_folder_that_stays_in_the_way_fails_the_job_in_the_end(
    plane: Plane, settings: Settings
) -> None:
    (settings.data_dir / "runs").write_text("a file in the way")
    job_id = await plane.submit()
    for _ in range(8):
        await plane.reconcile()
        plane.clock.pass_by(20)
    job = await plane.job(job_id)
    assert job["status"] == "failed"
    assert str(settings.data_dir / "runs") in job["error"]
    assert "tried for 120 s: launch_timeout_seconds" in job["error"]


async def test_a_launch_whose_answer_was_lost_is_not_made_twice(plane: Plane) -> None:
    plane.launcher.lost_answers = 1
    job_id = await plane.submit()
    await plane.reconcile()
    await plane.reconcile()
    [launch] = plane.launcher.launches
    assert (await plane.send(launch, {"number": 1, "type": "started"})).status_code == 200
    assert (await plane.job(job_id))["attempt"] == 1


async def test_a_run_may_report_before_ray_has_answered_its_launch(plane: Plane) -> None:
    start = plane.launcher.start

    async def report_at_once(launch: Launch) -> None:
        await start(launch)
        answer = await plane.send(launch, {"number": 1, "type": "started"})
        assert answer.status_code == 200

    plane.launcher.start = report_at_once  # type: ignore[method-assign]
    job_id = await plane.submit()
    await plane.reconcile()
    assert (await plane.job(job_id))["status"] == "running"
    plane.launcher.end(job_id, 1, RunState.FAILED, "exit code 137")
    await plane.reconcile()
    assert [launch.attempt for launch in plane.launcher.launches] == [1, 2]


async def test_a_job_claimed_but_not_launched_at_the_restart_is_launched_then(
    plane: Plane, settings: Settings, clock: Clock
) -> None:
    plane.launcher.trouble = AWAY
    job_id = await plane.submit()
    await plane.reconcile()
    # The process before it was killed, and on a server's database another may still hold the job.
    clock.pass_by(121)
    async with open_plane(settings, clock) as again:
        await again.reconcile()
        assert [(one.job_id, one.attempt) for one in again.launcher.launches] == [(job_id, 1)]
