"""The audit: what was done, by whom, and nothing that changes it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.unit.service.plane import Plane
from tests.unit.service.test_keys_api import make_key, make_project

pytestmark = pytest.mark.asyncio


async def test_every_change_has_an_entry_with_who_what_and_where(plane: Plane) -> None:
    await make_project(plane, "red", max_gpus=4)
    await make_key(plane, "viewer", "red")
    job_id = await plane.submit(project="red")
    await plane.http.post(f"/v1/jobs/{job_id}/pause")
    await plane.http.post(f"/v1/jobs/{job_id}/pause")
    entries = (await plane.http.get("/v1/audit")).json()["data"]
    who = (await plane.http.get("/v1/whoami")).json()["id"]
    assert [(entry["action"], entry["project"]) for entry in entries] == [
        ("job.pause", "red"),
        ("job.submit", "red"),
        ("key.make", "red"),
        ("project.make", "red"),
    ]
    assert {entry["actor"] for entry in entries} == {who}
    assert [entry["number"] for entry in entries] == [4, 3, 2, 1]
    assert entries[1]["target"] == job_id
    assert entries[1]["data"] == {"name": "quick"}
    assert entries[0]["address"] == "127.0.0.1"
    assert entries[0]["request_id"].startswith("req-")


async def test_a_change_that_fails_leaves_no_entry(plane: Plane) -> None:
    job_id = await plane.submit()
    await plane.cancel(job_id)
    assert (await plane.http.post(f"/v1/jobs/{job_id}/pause")).status_code == 409
    actions = [entry["action"] for entry in (await plane.http.get("/v1/audit")).json()["data"]]
    assert actions == ["job.cancel", "job.submit"]


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET actor = 'somebody else'", "DELETE FROM audit"]
)
async def test_the_database_refuses_to_change_it(plane: Plane, statement: str) -> None:
    await plane.submit()
    with pytest.raises(DBAPIError, match="the audit is append-only"):
        async with plane.services.database.write() as session:
            await session.execute(text(statement))
    assert len((await plane.http.get("/v1/audit")).json()["data"]) == 1


async def test_pages_go_back_to_the_first_entry(plane: Plane) -> None:
    for _ in range(5):
        await plane.submit()
    seen, after = [], ""
    while True:
        page = (await plane.http.get(f"/v1/audit?limit=2{after}")).json()
        seen += [entry["number"] for entry in page["data"]]
        if not page["has_more"]:
            break
        after = f"&after={page['next']}"
    assert seen == [5, 4, 3, 2, 1]
