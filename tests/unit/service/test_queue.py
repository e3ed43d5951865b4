"""Which job is started when: priority, quotas, the cluster's room, and four who look after it."""

import asyncio
from typing import Any

import pytest

from rkd_online.service.launchers.base import LauncherUnavailable, RunState
from rkd_online.service.launchers.room import Ledger, Node, Room
from rkd_online.service.settings import Settings
from rkd_online.spec.needs import Needs
from tests.unit.service.plane import SPEC, Clock, Plane, open_plane
from tests.unit.service.test_keys_api import make_project

pytestmark = pytest.mark.asyncio

GPU: dict[str, Any] = {
    "resources": {"device": "cuda", "generator": {"gpus": 1}, "learner": {"gpus": 1}}
}
"""A job of 3 CPUs and 2 GPUs."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_running_jobs": 50})


def launched(plane: Plane) -> list[str]:
    return [launch.job_id for launch in plane.launcher.launches]


async def waiting(plane: Plane, job_id: str) -> str | None:
    found: str | None = (await plane.job(job_id))["waiting"]
    return found


async def test_higher_priorities_start_first_and_equal_ones_by_age(
    settings: Settings, clock: Clock
) -> None:
    one = settings.model_copy(update={"max_running_jobs": 1})
    async with open_plane(one, clock) as plane:
        made = []
        for priority in (0, 5, -5, 5):
            made.append(await plane.submit(priority=priority))
            clock.pass_by(1)
        for _ in made:
            await plane.reconcile()
            launch = plane.launcher.launches[-1]
            await plane.send(launch, {"number": 1, "type": "finished"})
            plane.launcher.end(launch.job_id, 1, RunState.SUCCEEDED)
            await plane.reconcile()
        assert launched(plane) == [made[1], made[3], made[0], made[2]]


async def test_a_job_waits_for_a_place_and_says_so(settings: Settings, clock: Clock) -> None:
    one = settings.model_copy(update={"max_running_jobs": 1})
    async with open_plane(one, clock) as plane:
        await plane.submit()
        clock.pass_by(1)
        second = await plane.submit()
        await plane.reconcile()
        assert await waiting(plane, second) == (
            "waits for a place: 1 jobs run, and max_running_jobs is 1"
        )


async def test_a_projects_quota_keeps_its_jobs_waiting_and_no_others(plane: Plane) -> None:
    await make_project(plane, "red", max_active_jobs=1)
    first, second = await plane.submit(project="red"), await plane.submit(project="red")
    other = await plane.submit()
    await plane.reconcile()
    assert set(launched(plane)) == {first, other} or set(launched(plane)) == {second, other}
    kept = ({first, second} - set(launched(plane))).pop()
    assert await waiting(plane, kept) == (
        "waits for the project red: 1 of its jobs are active, and its quota is 1"
    )


async def test_a_projects_gpus_are_counted_over_its_active_jobs(plane: Plane) -> None:
    await make_project(plane, "red", max_gpus=3)
    await plane.submit(project="red", **GPU)
    plane.clock.pass_by(1)
    second = await plane.submit(project="red", **GPU)
    await plane.reconcile()
    assert len(launched(plane)) == 1
    assert await waiting(plane, second) == (
        "waits for the project red: its active jobs have 2 GPUs, this one needs 2, and its quota "
        "is 3"
    )
    usage = (await plane.http.get("/v1/projects/red")).json()["usage"]
    assert usage == {"active_jobs": 1, "queued_jobs": 1, "gpus": 2.0}


async def test_a_job_beyond_its_projects_quota_is_refused_with_the_numbers(plane: Plane) -> None:
    await make_project(plane, "red", max_gpus=1)
    answer = await plane.http.post("/v1/jobs", json=spec(project="red", **GPU))
    assert (answer.status_code, answer.json()["code"]) == (422, "beyond_quota")
    assert answer.json()["detail"] == (
        "the job needs 2 GPUs, and the quota of the project red is 1"
    )


async def test_a_full_queue_refuses_the_next_job_and_says_when_to_come_back(plane: Plane) -> None:
    await make_project(plane, "red", max_queued_jobs=2)
    for _ in range(2):
        await plane.submit(project="red")
    answer = await plane.http.post("/v1/jobs", json=spec(project="red"))
    assert (answer.status_code, answer.json()["code"]) == (429, "queue_full")
    assert answer.headers["Retry-After"] == "60"
    await plane.submit()


async def test_a_job_that_can_never_fit_is_refused_with_the_arithmetic(plane: Plane) -> None:
    plane.launcher.nodes = [Node({"CPU": 2.0}, {}), Node({"CPU": 2.0}, {})]
    answer = await plane.http.post("/v1/jobs", json=spec())
    assert (answer.status_code, answer.json()["code"]) == (422, "does_not_fit")
    assert answer.json()["detail"].startswith(
        "the job needs 3 CPU (1 + 1 + 1 for learner ranks, scorers and generators) on one node, of "
        "which the largest has 2"
    )


async def test_where_the_cluster_does_not_tell_a_job_is_queued(plane: Plane) -> None:
    plane.launcher.hidden = LauncherUnavailable("Ray is away")
    await plane.submit()
    answer = await plane.http.post("/v1/jobs:validate", json=spec())
    assert answer.json()["verdict"] == {
        "fits": None,
        "detail": "needs 3 CPU and 0 GPU on one node; Ray is away",
    }


async def test_validate_tells_needs_and_verdict(plane: Plane) -> None:
    plane.launcher.nodes = [Node({"CPU": 8.0}, {"CPU": 2.0})]
    answer = (await plane.http.post("/v1/jobs:validate", json=spec())).json()
    assert (answer["cpus"], answer["gpus"]) == (3.0, 0.0)
    assert answer["verdict"] == {
        "fits": True,
        "detail": "needs 3 CPU and 0 GPU on one node; there is room for it now",
    }


async def test_jobs_are_begun_until_the_room_is_full_and_the_next_says_what_it_lacks(
    plane: Plane,
) -> None:
    plane.launcher.nodes = [Node({"CPU": 8.0}, {"CPU": 1.0})]
    for _ in range(3):
        last = await plane.submit()
        plane.clock.pass_by(1)
    await plane.reconcile()
    assert len(launched(plane)) == 2
    assert await waiting(plane, last) == "waits for room: it needs 3 CPU, and 1 are free"
    # The cluster has placed one of ours by now, and somebody else's two.
    plane.launcher.nodes = [Node({"CPU": 8.0}, {"CPU": 5.0})]
    await plane.reconcile()
    assert await waiting(plane, last) == "waits for room: it needs 3 CPU, and 2 are free"
    plane.launcher.nodes = [Node({"CPU": 12.0}, {"CPU": 6.0})]
    await plane.reconcile()
    assert len(launched(plane)) == 3


async def test_smaller_jobs_pass_a_large_one_for_a_while_and_then_wait_behind_it(
    plane: Plane,
) -> None:
    plane.launcher.nodes = [Node({"CPU": 64.0, "GPU": 2.0}, {"GPU": 1.0})]
    large = await plane.submit(**GPU)
    plane.clock.pass_by(1)
    first = await plane.submit()
    await plane.reconcile()
    assert launched(plane) == [first]
    plane.clock.pass_by(600)
    behind = await plane.submit()
    await plane.reconcile()
    assert launched(plane) == [first]
    plane.launcher.nodes = [Node({"CPU": 64.0, "GPU": 2.0}, {})]
    await plane.reconcile()
    # What one pass begins is launched at the same time, in no order.
    assert len(launched(plane)) == 3
    assert set(launched(plane)) == {first, large, behind}


async def test_four_reconcilers_start_every_job_once(plane: Plane, settings: Settings) -> None:
    """Each with its own connections and its own launcher, as four replicas have."""
    if plane.services.database.is_sqlite:
        # Replicas need a server's database; on SQLite four passes of one process overlap.
        planes = [plane] * 4
        jobs = {await plane.submit() for _ in range(12)}
        await asyncio.gather(*(one.reconcile() for one in planes))
    else:
        async with (
            open_plane(settings, plane.clock) as second,
            open_plane(settings, plane.clock) as third,
            open_plane(settings, plane.clock) as fourth,
        ):
            planes = [plane, second, third, fourth]
            jobs = {await plane.submit() for _ in range(12)}
            for _ in range(3):
                await asyncio.gather(*(one.reconcile() for one in planes))
    launchers = [plane.launcher, *(one.launcher for one in planes if one is not plane)]
    begun = [(one.job_id, one.attempt) for each in launchers for one in each.launches]
    assert sorted(begun) == sorted((job_id, 1) for job_id in jobs)


async def test_another_replica_takes_over_when_a_lease_has_run_out(
    plane: Plane, settings: Settings
) -> None:
    launch = await plane.running()
    async with open_plane(settings, plane.clock) as other:
        other.launcher.end(launch.job_id, 1, RunState.FAILED, "exit code 137")
        await other.reconcile()
        held = not other.services.database.is_sqlite
        status = (await plane.job(launch.job_id))["status"]
        assert status == ("running" if held else "starting")
        plane.clock.pass_by(121)
        await plane.send(launch)
        await other.reconcile()
        assert (await plane.job(launch.job_id))["losses"] == 1


def spec(**changes: Any) -> dict[str, Any]:
    return {**SPEC, **changes}


NEEDS = Needs(({"CPU": 1.0}, {"CPU": 2.0}), one_node=True)


async def test_room_on_one_node_is_that_of_the_emptiest() -> None:
    room = Room((Node({"CPU": 4.0}, {"CPU": 2.0}), Node({"CPU": 4.0}, {"CPU": 2.0})))
    assert Ledger(room, {}).lack(NEEDS) == (
        "waits for room: it needs 3 CPU on one node, and the most that is free on one is 2"
    )
    assert Ledger(room, {}).lack(Needs(NEEDS.bundles, one_node=False)) is None


async def test_room_that_a_job_is_about_to_take_is_not_given_twice() -> None:
    ledger = Ledger(Room((Node({"CPU": 7.0}, {}),)), {})
    ledger.take(NEEDS)
    assert ledger.lack(NEEDS) is None
    ledger.take(NEEDS)
    assert ledger.lack(NEEDS) == "waits for room: it needs 3 CPU, and 1 are free"
