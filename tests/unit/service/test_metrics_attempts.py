"""How ends and losses of attempts are counted: once each, by what they were."""

from collections.abc import Callable
from typing import Any

import pytest

from rkd_online.service.launchers.base import LauncherUnavailable, RunState
from tests.unit.service.plane import Plane
from tests.unit.service.scraping import scrape

pytestmark = pytest.mark.asyncio


async def failed(plane: Plane) -> None:
    launch = await plane.running()
    message = {"message": "the loss is NaN"}
    await plane.send(launch, {"number": 2, "type": "failed", "data": message})


async def refused_at_launch(plane: Plane) -> None:
    await plane.submit()
    plane.launcher.trouble = LauncherUnavailable("Ray is away")
    for _ in range(6):
        await plane.reconcile()
        plane.clock.pass_by(25)


async def paused(plane: Plane) -> None:
    launch = await plane.running()
    await plane.http.post(f"/v1/jobs/{launch.job_id}/pause")
    await plane.send(launch, {"number": 2, "type": "paused", "data": {"step": 0}})


async def paused_without_a_word(plane: Plane) -> None:
    launch = await plane.running()
    await plane.http.post(f"/v1/jobs/{launch.job_id}/pause")
    plane.launcher.end(launch.job_id, 1, RunState.FAILED)
    await plane.reconcile()


async def succeeded_without_a_word(plane: Plane) -> None:
    launch = await plane.running()
    plane.launcher.end(launch.job_id, 1, RunState.SUCCEEDED)
    await plane.reconcile()


@pytest.mark.parametrize(
    ("life", "outcome"),
    [
        (failed, "failed"),
        (refused_at_launch, "failed"),
        (paused, "paused"),
        (paused_without_a_word, "paused"),
        (succeeded_without_a_word, "succeeded"),
    ],
)
async def test_each_end_of_an_attempt_is_counted_once(
    plane: Plane, life: Callable[[Plane], Any], outcome: str
) -> None:
    await life(plane)
    found = await scrape(plane.http)
    assert found.all("rkd_attempts_total") == {outcome: 1.0}
    assert found.all("rkd_attempt_losses_total") == {}


async def ended(plane: Plane, state: RunState) -> None:
    launch = await plane.running()
    plane.launcher.end(launch.job_id, 1, state)
    await plane.reconcile()


async def told(plane: Plane) -> None:
    launch = await plane.running()
    message = {"message": "a node is gone"}
    await plane.send(launch, {"number": 2, "type": "lost", "data": message})
    plane.launcher.end(launch.job_id, 1, RunState.FAILED)
    await plane.reconcile()


async def silent(plane: Plane) -> None:
    await plane.running()
    for _ in range(5):
        plane.clock.pass_by(25)
        await plane.reconcile()


async def never_started(plane: Plane) -> None:
    await plane.submit()
    for _ in range(14):
        await plane.reconcile()
        plane.clock.pass_by(25)


@pytest.mark.parametrize(
    ("life", "cause"),
    [
        (lambda plane: ended(plane, RunState.FAILED), "failed"),
        (lambda plane: ended(plane, RunState.STOPPED), "stopped"),
        (lambda plane: ended(plane, RunState.UNKNOWN), "forgotten"),
        (told, "told"),
        (silent, "silent"),
        (never_started, "never_started"),
    ],
)
async def test_each_cause_of_a_loss_has_its_word(
    plane: Plane, life: Callable[[Plane], Any], cause: str
) -> None:
    await life(plane)
    found = await scrape(plane.http)
    assert found.all("rkd_attempt_losses_total") == {cause: 1.0}
    assert found.all("rkd_attempts_total") == {"lost": 1.0}


async def test_what_is_not_committed_is_not_counted(plane: Plane) -> None:
    launch = await plane.running()
    foreign = {"step": 1, "path": "attempts/7/checkpoints/step-000001"}
    refused = await plane.send(
        launch,
        {"number": 2, "type": "finished"},
        {"number": 3, "type": "checkpoint", "data": foreign},
    )
    assert refused.status_code == 422
    found = await scrape(plane.http)
    assert found.all("rkd_run_events_total") == {"started": 1.0}
    assert found.all("rkd_attempts_total") == {}
    assert found.all("rkd_jobs") == {"running": 1.0}
