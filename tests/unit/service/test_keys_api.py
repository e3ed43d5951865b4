"""Who may do what: keys, scopes, projects, expiry, revocation."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from rkd_online.service.access.keys import Digests, key_id, new_key, read_pepper
from rkd_online.service.settings import Settings
from rkd_online.service.store.access_tables import KeyRow
from tests.unit.service.plane import SPEC, Clock, Plane, first_key, open_plane

pytestmark = pytest.mark.asyncio

OPEN = {"/livez", "/readyz", "/metrics"}
"""Anybody may ask whether it lives."""


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def make_project(plane: Plane, name: str, **quota: Any) -> None:
    answer = await plane.http.post("/v1/projects", json={"id": name, "quota": quota})
    assert answer.status_code == 201, answer.text


async def make_key(plane: Plane, scope: str, project: str | None = None, **more: Any) -> str:
    body = {"name": f"a {scope}", "scope": scope, "project": project, **more}
    answer = await plane.http.post("/v1/api-keys", json=body)
    assert answer.status_code == 201, answer.text
    key: str = answer.json()["key"]
    return key


async def ask(plane: Plane, key: str, method: str, path: str, **more: Any) -> httpx.Response:
    return await plane.http.request(method, path, headers=bearer(key), **more)


async def test_the_first_start_makes_one_key_that_only_its_owner_can_read(
    plane: Plane, settings: Settings, clock: Clock
) -> None:
    file = settings.data_dir / "admin-key"
    assert file.stat().st_mode & 0o777 == 0o600
    who = (await plane.http.get("/v1/whoami")).json()
    assert (who["project"], who["scope"], who["name"]) == (None, "admin", "first administrator")
    key = first_key(settings)
    async with open_plane(settings, clock) as again:
        assert first_key(settings) == key
        assert len((await again.http.get("/v1/api-keys")).json()["data"]) == 1


async def test_every_route_but_the_probes_needs_a_key(plane: Plane) -> None:
    document = plane.app.openapi()
    asked = 0
    for path, methods in document["paths"].items():
        if path in OPEN:
            continue
        for method in methods:
            url = path.replace("{number}", "1").replace("{job_id}", "job-1")
            plane.services.limits._limiter.storage.reset()
            answer = await plane.http.request(
                method, url, json=[], headers={"Authorization": "Bearer wrong"}
            )
            assert answer.status_code == 401, (method, path, answer.text)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            asked += 1
    assert asked > 15


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": ""}, "missing_key"),
        ({"Authorization": "Basic cm9vdDpyb290"}, "missing_key"),
        (bearer("rkd_nothing"), "invalid_key"),
        (bearer(str(new_key())), "invalid_key"),
    ],
)
async def test_no_key_and_a_made_up_one_are_401(
    plane: Plane, headers: dict[str, str], code: str
) -> None:
    answer = await plane.http.get("/v1/jobs", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_key_with_one_character_changed_is_no_key(plane: Plane, settings: Settings) -> None:
    key = first_key(settings)
    last = "0" if key[-1] != "0" else "1"
    answer = await plane.http.get("/v1/jobs", headers=bearer(key[:-1] + last))
    assert answer.status_code == 401


async def test_a_job_of_another_project_is_not_there(plane: Plane) -> None:
    await make_project(plane, "red")
    await make_project(plane, "blue")
    red = await make_key(plane, "submitter", "red")
    blue = await make_key(plane, "admin", "blue")
    made = await ask(plane, red, "POST", "/v1/jobs", json=SPEC)
    job_id = made.json()["id"]
    assert made.json()["project"] == "red"
    for method, path in [
        ("GET", ""),
        ("GET", "/events"),
        ("GET", "/events/stream"),
        ("GET", "/report"),
        ("GET", "/trace"),
        ("POST", "/cancel"),
        ("POST", "/pause"),
        ("POST", "/resume"),
    ]:
        answer = await ask(plane, blue, method, f"/v1/jobs/{job_id}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found"), path
    assert (await ask(plane, blue, "GET", "/v1/jobs")).json()["data"] == []
    assert (await ask(plane, blue, "GET", "/v1/jobs?project=red")).status_code == 404
    answer = await ask(plane, blue, "POST", "/v1/jobs", json={**SPEC, "project": "red"})
    assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")
    assert (await ask(plane, blue, "GET", "/v1/projects/red")).status_code == 404
    seen = (await ask(plane, blue, "GET", "/v1/audit")).json()["data"]
    assert {entry["project"] for entry in seen} == {"blue"}
    assert (await plane.job(job_id))["status"] == "queued"


async def test_a_projects_administrator_has_no_say_in_another_nor_over_all(plane: Plane) -> None:
    await make_project(plane, "red")
    await make_project(plane, "blue")
    red = await make_key(plane, "viewer", "red")
    everywhere = await make_key(plane, "viewer")
    blue = await make_key(plane, "admin", "blue")
    for other in (red, everywhere):
        path = f"/v1/api-keys/{key_id(other)}"
        assert (await ask(plane, blue, "GET", path)).status_code == 404
        assert (await ask(plane, blue, "DELETE", path)).status_code == 404
        assert (await ask(plane, blue, "POST", f"{path}/rotate")).status_code == 404
    body = {"name": "mine", "scope": "admin", "project": "red"}
    assert (await ask(plane, blue, "POST", "/v1/api-keys", json=body)).status_code == 404
    # A key that names no project is of the maker's own.
    made = await ask(plane, blue, "POST", "/v1/api-keys", json=body | {"project": None})
    assert made.json()["project"] == "blue"
    answer = await ask(plane, blue, "POST", "/v1/projects", json={"id": "green"})
    assert (answer.status_code, answer.json()["code"]) == (403, "project_key")
    quota = {"quota": {"max_active_jobs": 99}}
    assert (await ask(plane, blue, "PATCH", "/v1/projects/blue", json=quota)).status_code == 403
    shown = (await ask(plane, blue, "GET", "/v1/api-keys")).json()["data"]
    assert {one["project"] for one in shown} == {"blue"}


async def test_each_scope_allows_what_it_says(plane: Plane) -> None:
    viewer, submitter = await make_key(plane, "viewer"), await make_key(plane, "submitter")
    answer = await ask(plane, viewer, "POST", "/v1/jobs", json=SPEC)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_too_small")
    assert "needs the scope submitter" in answer.json()["detail"]
    job_id = (await ask(plane, submitter, "POST", "/v1/jobs", json=SPEC)).json()["id"]
    assert (await ask(plane, viewer, "GET", f"/v1/jobs/{job_id}")).status_code == 200
    assert (await ask(plane, viewer, "POST", "/v1/jobs:validate", json=SPEC)).status_code == 200
    for action in ("cancel", "pause", "resume"):
        path = f"/v1/jobs/{job_id}/{action}"
        assert (await ask(plane, viewer, "POST", path)).status_code == 403
    for path in ("/v1/audit", "/v1/api-keys"):
        assert (await ask(plane, submitter, "GET", path)).status_code == 403


async def test_a_key_ends_when_it_expires(plane: Plane) -> None:
    ends = plane.clock.time + timedelta(hours=1)
    key = await make_key(plane, "viewer", expires_at=ends.isoformat())
    plane.clock.pass_by(3599)
    assert (await ask(plane, key, "GET", "/v1/whoami")).status_code == 200
    plane.clock.pass_by(1)
    assert (await ask(plane, key, "GET", "/v1/whoami")).json()["code"] == "invalid_key"


async def test_a_key_that_would_be_over_already_is_refused(plane: Plane) -> None:
    body = {"name": "late", "scope": "viewer", "expires_at": "2026-03-01T11:00:00Z"}
    answer = await plane.http.post("/v1/api-keys", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "expired")


async def test_a_revoked_key_ends_at_once_and_again_is_no_change(plane: Plane) -> None:
    key = await make_key(plane, "viewer")
    path = f"/v1/api-keys/{key_id(key)}"
    first = await plane.http.delete(path)
    assert (first.status_code, first.json()["revoked_at"]) == (200, "2026-03-01T12:00:00Z")
    assert (await ask(plane, key, "GET", "/v1/whoami")).status_code == 401
    plane.clock.pass_by(60)
    assert (await plane.http.delete(path)).json() == first.json()
    assert (await plane.http.post(f"{path}/rotate")).json()["code"] == "key_revoked"


async def test_a_rotated_key_has_a_successor_for_the_same(plane: Plane) -> None:
    await make_project(plane, "red")
    old = await make_key(plane, "submitter", "red")
    answer = await plane.http.post(f"/v1/api-keys/{key_id(old)}/rotate")
    assert answer.status_code == 201
    new = answer.json()
    assert (new["name"], new["project"], new["scope"]) == ("a submitter", "red", "submitter")
    assert (await ask(plane, old, "GET", "/v1/whoami")).status_code == 401
    assert (await ask(plane, new["key"], "GET", "/v1/whoami")).json()["id"] == new["id"]


async def test_a_secret_is_shown_once_and_kept_nowhere(plane: Plane, settings: Settings) -> None:
    headers = {"Idempotency-Key": "make one"}
    body = {"name": "once", "scope": "viewer"}
    first = await plane.http.post("/v1/api-keys", json=body, headers=headers)
    again = await plane.http.post("/v1/api-keys", json=body, headers=headers)
    assert first.headers["Cache-Control"] == "no-store"
    assert again.json() == first.json() | {"key": "shown once"}
    key = first.json()["key"]
    secret = key.rpartition("_")[2]
    async with plane.services.database.read() as session:
        rows = (await session.scalars(select(KeyRow))).all()
        digests = {row.digest for row in rows}
    assert plane.services.digests.of(key) in digests
    assert all(secret not in row.digest for row in rows)
    audit = (await plane.http.get("/v1/audit")).text
    assert secret not in audit
    for file in settings.data_dir.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


async def test_when_a_key_was_used_is_known_to_the_minute(plane: Plane) -> None:
    key = await make_key(plane, "viewer")
    path = f"/v1/api-keys/{key_id(key)}"
    assert (await plane.http.get(path)).json()["last_used_at"] is None
    seen = []
    for _ in range(3):
        await ask(plane, key, "GET", "/v1/whoami")
        seen.append((await plane.http.get(path)).json()["last_used_at"])
        plane.clock.pass_by(59)
    assert seen == ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T12:01:58Z"]


async def test_an_address_that_guesses_at_keys_has_to_wait(plane: Plane) -> None:
    for _ in range(20):
        answer = await plane.http.get("/v1/jobs", headers=bearer(str(new_key())))
        assert answer.status_code == 401
    answer = await plane.http.get("/v1/jobs")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


async def test_a_key_that_asks_too_often_has_to_wait(settings: Settings, clock: Clock) -> None:
    few = settings.model_copy(update={"requests_per_minute": 3})
    async with open_plane(few, clock) as plane:
        codes = [(await plane.http.get("/v1/whoami")).status_code for _ in range(4)]
        refused = await plane.http.get("/v1/whoami")
    assert codes == [200, 200, 200, 429]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


async def test_without_keys_everybody_here_may_do_everything(
    settings: Settings, clock: Clock
) -> None:
    async with open_plane(settings.model_copy(update={"auth": "off"}), clock) as plane:
        assert not (settings.data_dir / "admin-key").exists()
        who = (await plane.http.get("/v1/whoami", headers={"Authorization": ""})).json()
        assert (who["id"], who["scope"]) == ("local", "admin")


async def test_digests_of_one_pepper_say_nothing_under_another() -> None:
    key = str(new_key())
    # By `printf %s rkd_0_1 | openssl dgst -sha256 -hmac pepper`.
    assert Digests(b"pepper").of("rkd_0_1") == (
        "ceb64e68089f238f49e808001e9cfced3eb3c6ccae75c604c12f47ca90cb3d2c"
    )
    assert Digests(b"salt").of(key) != Digests(b"pepper").of(key)


async def test_the_pepper_is_made_once_and_read_by_its_owner_alone(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    file = settings.data_dir / "pepper"
    first = read_pepper(file, "")
    assert (read_pepper(file, ""), len(first)) == (first, 64)
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_pepper(file, "given") == b"given"
