"""PATCH: what can be changed of a job that waits or runs."""

import json
from typing import Any

import httpx
import pytest

from tests.unit.service.plane import Plane

pytestmark = pytest.mark.asyncio

ANY = {"If-Match": "*"}


async def patch(plane: Plane, job_id: str, **changes: Any) -> httpx.Response:
    return await plane.http.patch(f"/v1/jobs/{job_id}", json=changes, headers=ANY)


async def test_a_run_is_told_all_changes_so_far_with_every_receipt(plane: Plane) -> None:
    launch = await plane.running()
    assert (await plane.send(launch)).json()["changes"] is None
    await patch(plane, launch.job_id, learning_rate=1e-5)
    await patch(plane, launch.job_id, steps=9, learning_rate=2e-5)
    told = (await plane.send(launch)).json()["changes"]
    assert told == {"number": 2, "values": {"learning_rate": 2e-5, "steps": 9}}
    job = await plane.job(launch.job_id)
    assert (job["changes"], job["spec"]["steps"]) == (2, 9)
    assert job["spec"]["optimizer"]["learning_rate"] == 2e-5


async def test_a_change_is_an_event_when_it_is_asked_for_and_when_it_holds(plane: Plane) -> None:
    launch = await plane.running()
    await patch(plane, launch.job_id, clip_high=0.5)
    taken = {"step": 3, "number": 1, "values": {"clip_high": 0.5}}
    await plane.send(launch, {"number": 2, "type": "changed", "data": taken})
    events = [(event["type"], event["data"]) for event in await plane.events(launch.job_id)]
    assert events[-2:] == [
        ("change_asked", {"number": 1, "values": {"clip_high": 0.5}}),
        ("changed", taken),
    ]


async def test_the_next_attempt_starts_with_the_changes_and_their_number(plane: Plane) -> None:
    job_id = await plane.submit()
    await patch(plane, job_id, evaluation_every=2)
    await plane.reconcile()
    [launch] = plane.launcher.launches
    spec = json.loads((launch.job_dir / "spec.json").read_text())
    assert (spec["evaluation"]["every"], launch.changes) == (2, 1)


async def test_labels_priority_and_budget_are_for_the_service_alone(plane: Plane) -> None:
    job_id = await plane.submit(labels={"team": "a"}, priority=1)
    answer = await patch(plane, job_id, labels={"team": "b"}, priority=-3, budget={"tokens": 10})
    job = answer.json()
    assert (job["labels"], job["priority"], job["budget"]) == ({"team": "b"}, -3, {"tokens": 10})
    assert job["changes"] == 0
    found = (await plane.http.get("/v1/jobs?label=team=b")).json()["data"]
    assert [one["id"] for one in found] == [job_id]
    assert (await plane.http.get("/v1/jobs?label=team=a")).json()["data"] == []
    assert (await patch(plane, job_id, budget=None)).json()["budget"] is None


async def test_a_change_needs_the_revision_it_was_made_for(plane: Plane) -> None:
    job_id = await plane.submit()
    path = f"/v1/jobs/{job_id}"
    assert (await plane.http.patch(path, json={"priority": 1})).status_code == 428
    first = await plane.http.patch(path, json={"priority": 1}, headers={"If-Match": '"1"'})
    assert (first.status_code, first.headers["ETag"]) == (200, '"2"')
    late = await plane.http.patch(path, json={"priority": 2}, headers={"If-Match": '"1"'})
    assert late.status_code == 412
    assert (await plane.job(job_id))["priority"] == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"alpha": 0.5}, "alpha"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"group_size": 4}, "group_size"),
        ({"labels": {"Upper": "x"}}, "labels"),
        ({"priority": 101}, "priority"),
        ({}, ""),
    ],
)
async def test_what_cannot_be_changed_so_is_refused_by_its_name(
    plane: Plane, changes: dict[str, Any], field: str
) -> None:
    """The job's algorithm is grpo, which has no alpha."""
    job_id = await plane.submit()
    answer = await patch(plane, job_id, **changes)
    assert answer.status_code == 422, answer.text
    assert any(field in error["field"] for error in answer.json()["errors"]), answer.text
    assert (await plane.job(job_id))["revision"] == 1


async def test_of_a_job_that_is_over_only_labels_can_be_changed(plane: Plane) -> None:
    job_id = await plane.submit()
    await plane.cancel(job_id)
    answer = await patch(plane, job_id, priority=3)
    assert (answer.status_code, answer.json()["code"]) == (409, "job_is_over")
    assert (await patch(plane, job_id, labels={"kept": "yes"})).status_code == 200


async def test_who_changed_what_is_in_the_audit(plane: Plane) -> None:
    job_id = await plane.submit()
    await patch(plane, job_id, learning_rate=1e-5, priority=4)
    who = (await plane.http.get("/v1/whoami")).json()["id"]
    entry = (await plane.http.get("/v1/audit")).json()["data"][0]
    assert (entry["actor"], entry["action"], entry["target"]) == (who, "job.change", job_id)
    assert entry["data"] == {"learning_rate": 1e-5, "priority": 4}
