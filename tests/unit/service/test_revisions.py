"""ETag and If-Match: no user undoes what another decided."""

import pytest

from tests.unit.service.plane import Plane

pytestmark = pytest.mark.asyncio

QUOTA = {"quota": {"max_active_jobs": 2}}


async def test_a_job_is_at_the_revision_of_its_newest_decision(plane: Plane) -> None:
    job_id = await plane.submit()
    tags = [(await plane.http.get(f"/v1/jobs/{job_id}")).headers["ETag"]]
    for action in ("pause", "pause", "resume"):
        answer = await plane.http.post(f"/v1/jobs/{job_id}/{action}")
        tags.append(answer.headers["ETag"])
        assert answer.json()["revision"] == int(tags[-1].strip('"'))
    assert tags == ['"1"', '"2"', '"2"', '"3"']


async def test_what_a_run_reports_is_no_decision(plane: Plane) -> None:
    launch = await plane.running()
    before = (await plane.job(launch.job_id))["revision"]
    report = {"step": 1, "version": 1, "staleness": 0, "timings": {}}
    await plane.send(launch, {"number": 2, "type": "step", "data": report})
    job = await plane.job(launch.job_id)
    assert (job["revision"], job["progress"]["report"]["step"]) == (before, 1)


@pytest.mark.parametrize("action", ["cancel", "pause", "resume"])
async def test_an_action_for_an_older_revision_is_refused(plane: Plane, action: str) -> None:
    job_id = await plane.submit()
    await plane.http.post(f"/v1/jobs/{job_id}/pause")
    path = f"/v1/jobs/{job_id}/{action}"
    answer = await plane.http.post(path, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "revision_changed")
    assert (await plane.job(job_id))["status"] == "paused"
    fresh = await plane.http.post(path, headers={"If-Match": '"1", "2"'})
    assert fresh.is_success


async def test_a_quota_is_set_only_for_the_revision_that_was_read(plane: Plane) -> None:
    path = "/v1/projects/default"
    missing = await plane.http.patch(path, json=QUOTA)
    assert (missing.status_code, missing.json()["code"]) == (428, "revision_required")
    tag = (await plane.http.get(path)).headers["ETag"]
    done = await plane.http.patch(path, json=QUOTA, headers={"If-Match": tag})
    assert (done.status_code, done.headers["ETag"], done.json()["revision"]) == (200, '"2"', 2)
    late = await plane.http.patch(path, json=QUOTA, headers={"If-Match": tag})
    assert late.status_code == 412
    assert (await plane.http.patch(path, json=QUOTA, headers={"If-Match": "*"})).is_success
