"""Pauses, by users and by budgets, and what goes on from them."""

from typing import Any

import pytest

from rkd_online.service.launchers.base import Launch, LauncherUnavailable, RunState
from tests.unit.service.plane import Plane

pytestmark = pytest.mark.asyncio

PATH = "attempts/1/checkpoints/step-000002"


async def act(plane: Plane, job_id: str, action: str) -> Any:
    return await plane.http.post(f"/v1/jobs/{job_id}/{action}")


async def status(plane: Plane, job_id: str) -> str:
    found: str = (await plane.job(job_id))["status"]
    return found


async def pausing(plane: Plane, **changes: Any) -> Launch:
    """A job that runs, has a checkpoint, and was asked to pause."""
    launch = await plane.running(**changes)
    await plane.send(launch, {"number": 2, "type": "checkpoint", "data": {"step": 2, "path": PATH}})
    answer = await act(plane, launch.job_id, "pause")
    assert (answer.status_code, answer.json()["status"]) == (202, "pausing")
    return launch


def step(number: int, length: float) -> dict[str, Any]:
    metrics = {"rollout/completion_length": length}
    data = {"step": number, "version": number, "staleness": 0, "timings": {}, "metrics": metrics}
    return {"number": number + 1, "type": "step", "data": data}


async def test_a_job_that_waits_is_paused_at_once_and_waits_again_when_it_is_resumed(
    plane: Plane,
) -> None:
    job_id = await plane.submit()
    assert (await act(plane, job_id, "pause")).json()["status"] == "paused"
    await plane.reconcile()
    assert plane.launcher.launches == []
    assert (await act(plane, job_id, "resume")).json()["status"] == "queued"
    await plane.reconcile()
    assert [launch.attempt for launch in plane.launcher.launches] == [1]


async def test_a_run_learns_that_it_is_to_pause_and_says_when_it_has(plane: Plane) -> None:
    launch = await pausing(plane)
    assert (await plane.send(launch)).json()["status"] == "pausing"
    await plane.reconcile()
    assert await status(plane, launch.job_id) == "pausing"
    answer = await plane.send(launch, {"number": 3, "type": "paused", "data": {"step": 2}})
    assert answer.json() == {"accepted": 1, "status": "paused", "changes": None}
    plane.launcher.end(launch.job_id, 1, RunState.FAILED, "exit code 76")
    await plane.reconcile()
    assert await status(plane, launch.job_id) == "paused"
    assert (await plane.http.get("/v1/projects/default")).json()["usage"]["active_jobs"] == 0


async def test_a_resumed_job_goes_on_from_its_checkpoint_and_a_pause_is_no_loss(
    plane: Plane,
) -> None:
    launch = await pausing(plane)
    await plane.send(launch, {"number": 3, "type": "paused", "data": {"step": 2}})
    plane.launcher.end(launch.job_id, 1, RunState.FAILED, "exit code 76")
    await plane.reconcile()
    await act(plane, launch.job_id, "resume")
    await plane.reconcile()
    second = plane.launcher.launches[-1]
    assert (second.attempt, second.resume_from) == (2, launch.job_dir / PATH)
    assert (await plane.job(launch.job_id))["losses"] == 0


async def test_a_run_that_ends_without_a_word_is_paused_where_its_checkpoint_is(
    plane: Plane,
) -> None:
    launch = await pausing(plane)
    plane.launcher.end(launch.job_id, 1, RunState.FAILED, "exit code 137")
    await plane.reconcile()
    last = (await plane.events(launch.job_id))[-1]
    assert last["data"] == {
        "status": "paused",
        "reason": "its run ended before it wrote a checkpoint: exit code 137",
    }
    assert plane.launcher.stopped == []


async def test_a_run_that_falls_silent_or_takes_too_long_is_stopped_and_paused(
    plane: Plane,
) -> None:
    silent = await pausing(plane)
    for _ in range(5):
        plane.clock.pass_by(25)
        await plane.reconcile()
    assert await status(plane, silent.job_id) == "paused"
    assert plane.launcher.stopped == [(silent.job_id, 1)]
    plane.launcher.end(silent.job_id, 1, RunState.STOPPED)
    await plane.reconcile()

    slow = await pausing(plane)
    for _ in range(145):
        plane.clock.pass_by(25)
        await plane.send(slow)
        await plane.reconcile()
    assert await status(plane, slow.job_id) == "paused"
    reason = (await plane.events(slow.job_id))[-1]["data"]["reason"]
    assert reason == "its run did not pause within 3600 s (pause_timeout_seconds)"


async def test_while_the_cluster_is_away_a_pause_waits(plane: Plane) -> None:
    launch = await pausing(plane)
    plane.launcher.trouble = LauncherUnavailable("Ray is away")
    await plane.reconcile()
    assert await status(plane, launch.job_id) == "pausing"


async def test_a_cancel_overtakes_a_pause(plane: Plane) -> None:
    launch = await pausing(plane)
    assert (await act(plane, launch.job_id, "cancel")).json()["status"] == "stopping"
    await plane.send(launch, {"number": 3, "type": "paused", "data": {"step": 2}})
    plane.launcher.end(launch.job_id, 1, RunState.FAILED, "exit code 76")
    await plane.reconcile()
    assert await status(plane, launch.job_id) == "cancelled"


async def test_a_run_may_finish_or_fail_while_it_is_asked_to_pause(plane: Plane) -> None:
    first = await pausing(plane)
    await plane.send(first, {"number": 3, "type": "finished"})
    assert await status(plane, first.job_id) == "succeeded"
    plane.launcher.end(first.job_id, 1, RunState.SUCCEEDED)
    await plane.reconcile()
    second = await pausing(plane)
    failed = {"number": 3, "type": "failed", "data": {"message": "the loss is nan"}}
    await plane.send(second, failed)
    assert await status(plane, second.job_id) == "failed"


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"wall_seconds": 90}, "its budget is spent: wall_seconds 100 of 90"),
        ({"tokens": 2_000}, "its budget is spent: tokens 2,048 of 2,000"),
        ({"gpu_hours": 0.05}, "its budget is spent: gpu_hours 0.0555556 of 0.05"),
    ],
)
async def test_a_job_that_has_used_its_budget_is_paused_with_the_numbers(
    plane: Plane, budget: dict[str, float], reason: str
) -> None:
    gpu = {"device": "cuda", "generator": {"gpus": 1}, "learner": {"gpus": 1}}
    rollout = {"prompts_per_step": 8, "group_size": 8, "max_new_tokens": 64}
    launch = await plane.running(budget=budget, resources=gpu, rollout=rollout)
    plane.clock.pass_by(100)
    # 8 prompts, 8 answers each, 32 tokens in the mean: 2,048.
    await plane.send(launch, step(1, 32.0))
    await plane.reconcile()
    job = await plane.job(launch.job_id)
    assert job["status"] == "pausing"
    assert (await plane.events(launch.job_id))[-1]["data"]["reason"] == reason
    assert job["spent"]["tokens"] == 2_048


async def test_a_spent_job_goes_on_only_with_a_larger_budget(plane: Plane) -> None:
    launch = await plane.running(budget={"wall_seconds": 90})
    plane.clock.pass_by(100)
    await plane.send(launch)
    await plane.reconcile()
    await plane.send(launch, {"number": 2, "type": "paused", "data": {"step": 0}})
    plane.launcher.end(launch.job_id, 1, RunState.FAILED, "exit code 76")
    await plane.reconcile()
    answer = await act(plane, launch.job_id, "resume")
    assert (answer.status_code, answer.json()["code"]) == (409, "budget_spent")
    changed = await plane.http.patch(
        f"/v1/jobs/{launch.job_id}",
        json={"budget": {"wall_seconds": 200}},
        headers={"If-Match": "*"},
    )
    assert changed.json()["budget"] == {"wall_seconds": 200.0}
    assert (await act(plane, launch.job_id, "resume")).json()["status"] == "queued"
    # Time in the queue and paused is not counted, nor what the first attempt's end took.
    assert (await plane.job(launch.job_id))["spent"]["wall_seconds"] == 100.0


async def test_a_budget_of_nothing_is_refused(plane: Plane) -> None:
    from tests.unit.service.plane import SPEC

    answer = await plane.http.post("/v1/jobs", json={**SPEC, "budget": {}})
    assert answer.status_code == 422
    assert "give at least one of wall_seconds, tokens, gpu_hours" in answer.text
