"""A POST with an Idempotency-Key is done once."""

import asyncio

import pytest

from rkd_online.service.settings import Settings
from tests.unit.service.plane import SPEC, Plane, client_of, first_key
from tests.unit.service.test_keys_api import ask, make_key

pytestmark = pytest.mark.asyncio

KEY = {"Idempotency-Key": "submit the first"}


async def count(plane: Plane) -> int:
    return len((await plane.http.get("/v1/jobs?limit=100")).json()["data"])


async def test_the_same_request_again_gets_the_same_answer(plane: Plane) -> None:
    first = await plane.http.post("/v1/jobs", json=SPEC, headers=KEY)
    await plane.reconcile()
    # The job has moved on, and the body is written in another order.
    again = await plane.http.post("/v1/jobs", json=dict(reversed(SPEC.items())), headers=KEY)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["ETag"] == first.headers["ETag"] == '"1"'
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await count(plane) == 1
    entries = (await plane.http.get("/v1/audit")).json()["data"]
    assert [entry["action"] for entry in entries] == ["job.submit"]


async def test_another_request_with_the_key_is_refused(plane: Plane) -> None:
    await plane.http.post("/v1/jobs", json=SPEC, headers=KEY)
    answer = await plane.http.post("/v1/jobs", json={**SPEC, "steps": 5}, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    job_id = await plane.submit()
    answer = await plane.http.post(f"/v1/jobs/{job_id}/cancel", headers=KEY)
    assert answer.json()["code"] == "idempotency_key_reused"
    assert await count(plane) == 2


async def test_each_caller_has_keys_of_its_own(plane: Plane) -> None:
    other = await make_key(plane, "submitter")
    await plane.http.post("/v1/jobs", json=SPEC, headers=KEY)
    answer = await plane.http.post(
        "/v1/jobs", json=SPEC, headers={**KEY, "Authorization": f"Bearer {other}"}
    )
    assert answer.status_code == 201
    assert await count(plane) == 2
    assert (await ask(plane, other, "GET", "/v1/whoami")).json()["id"] == answer.json()[
        "created_by"
    ]


async def test_a_refused_request_may_be_made_again_with_its_key(plane: Plane) -> None:
    await plane.http.post("/v1/projects", json={"id": "small", "quota": {"max_queued_jobs": 0}})
    spec = {**SPEC, "project": "small"}
    assert (await plane.http.post("/v1/jobs", json=spec, headers=KEY)).status_code == 429
    await plane.http.patch(
        "/v1/projects/small", json={"quota": {"max_queued_jobs": 1}}, headers={"If-Match": "*"}
    )
    assert (await plane.http.post("/v1/jobs", json=spec, headers=KEY)).status_code == 201


async def test_actions_are_done_once_too(plane: Plane) -> None:
    job_id = await plane.submit()
    path = f"/v1/jobs/{job_id}/pause"
    first = await plane.http.post(path, headers=KEY)
    await plane.http.post(f"/v1/jobs/{job_id}/resume")
    again = await plane.http.post(path, headers=KEY)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["status"] == "paused"
    assert (await plane.job(job_id))["status"] == "queued"


async def test_after_a_day_the_key_is_free(plane: Plane) -> None:
    await plane.http.post("/v1/jobs", json=SPEC, headers=KEY)
    plane.clock.pass_by(24 * 3600)
    assert (
        "Idempotency-Replayed"
        in (await plane.http.post("/v1/jobs", json=SPEC, headers=KEY)).headers
    )
    plane.clock.pass_by(1)
    assert (await plane.http.post("/v1/jobs", json=SPEC, headers=KEY)).status_code == 201
    assert await count(plane) == 2


async def test_twenty_at_the_same_moment_make_one_job(plane: Plane, settings: Settings) -> None:
    """Each with a connection of its own to the database."""

    async def post() -> tuple[int, bytes]:
        async with client_of(plane.app, first_key(settings)) as http:
            answer = await http.post("/v1/jobs", json=SPEC, headers=KEY)
            return answer.status_code, answer.content

    answers = await asyncio.gather(*(post() for _ in range(20)))
    assert {status for status, _ in answers} == {201}
    assert len({body for _, body in answers}) == 1
    assert await count(plane) == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_that_cannot_be_kept_is_refused(plane: Plane, key: str) -> None:
    answer = await plane.http.post("/v1/jobs", json=SPEC, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
