"""What a job leaves behind is there for keys of its project, and for no other."""

import pytest

from tests.unit.service.plane import Plane, client_of

pytestmark = pytest.mark.asyncio


async def key_of(plane: Plane, project: str) -> str:
    """A key of a new project."""
    assert (await plane.http.post("/v1/projects", json={"id": project})).is_success
    wanted = {"name": "a viewer", "project": project, "scope": "viewer"}
    answer = await plane.http.post("/v1/api-keys", json=wanted)
    assert answer.is_success, answer.text
    key: str = answer.json()["key"]
    return key


@pytest.mark.parametrize(
    "path",
    [
        "metrics",
        "rollouts",
        "rollouts/1-1-1",
        "checkpoints",
        "checkpoints/1-step-000001/files",
        "checkpoints/1-step-000001/files/config.json",
        "checkpoints/1-step-000001/archive",
        "logs",
    ],
)
async def test_a_jobs_results_are_for_keys_of_its_project(plane: Plane, path: str) -> None:
    launch = await plane.running()
    where = f"/v1/jobs/{launch.job_id}/{path}"
    async with client_of(plane.app, await key_of(plane, "other")) as stranger:
        answer = await stranger.get(where)
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    answer = await plane.http.get(where, headers={"Authorization": "Bearer nobody"})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_key")


async def test_the_record_of_a_job_links_its_results(plane: Plane) -> None:
    launch = await plane.running()
    links = (await plane.job(launch.job_id))["links"]
    for name in ("metrics", "rollouts", "checkpoints", "logs"):
        assert links[name] == f"/v1/jobs/{launch.job_id}/{name}"
        assert (await plane.http.get(links[name])).is_success
