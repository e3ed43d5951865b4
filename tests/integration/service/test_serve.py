"""The server as a process of its own: its end, its sudden death and its return."""

import asyncio
import json
import signal
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from rkd_online.client import Client
from rkd_online.errors import ServiceError
from rkd_online.service.server import serve
from rkd_online.service.settings import Settings
from rkd_online.service.store import jobs, schema
from rkd_online.service.store.engine import Database
from rkd_online.service.store.jobs import NewJob
from rkd_online.spec.load import parse_spec
from tests.integration.service.fake_ray import FakeRay
from tests.integration.service.process import Start, key, until
from tests.unit.spec.job import job


def queue_a_job(settings: Settings) -> str:
    """Straight into the database: no control plane runs yet."""
    spec = parse_spec(job()).model_dump(mode="json")

    async def queue() -> str:
        await schema.upgrade(settings.database)
        database = Database(settings.database)
        new = NewJob("default", spec["name"], spec, cpus=3, gpus=0)
        async with database.write() as session:
            row = await jobs.insert(session, new, datetime.now(UTC))
        await database.close()
        return row.id

    return asyncio.run(queue())


def send(settings: Settings, ray: FakeRay, job_id: str, number: int, event_type: str) -> None:
    httpx.post(
        f"{settings.control_url}/v1/internal/jobs/{job_id}/attempts/1/events",
        json=[{"number": number, "type": event_type}],
        headers={"Authorization": f"Bearer {ray.token(f'rkd-{job_id}-1')}"},
    ).raise_for_status()


def test_sigterm_ends_open_streams_and_the_process_with_0(settings: Settings, start: Start) -> None:
    job_id = queue_a_job(settings)
    server = start()
    url = f"{settings.control_url}/v1/jobs/{job_id}/events/stream"
    headers = {"Authorization": f"Bearer {key(settings)}"}
    with httpx.stream("GET", url, headers=headers, timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "id: 1"
        server.send_signal(signal.SIGTERM)
        assert "event: end" not in list(lines)
    assert server.wait(60) == 0


def test_a_job_outlives_the_sudden_death_of_its_control_plane(
    settings: Settings, ray: FakeRay, start: Start
) -> None:
    job_id = queue_a_job(settings)
    first = start()
    until(lambda: f"rkd-{job_id}-1" in ray.jobs, "the launch")
    send(settings, ray, job_id, 1, "started")
    first.kill()
    first.wait(30)
    start()
    send(settings, ray, job_id, 1, "started")
    send(settings, ray, job_id, 2, "finished")
    with Client(settings.control_url, key(settings)) as client:
        assert client.get(job_id).status == "succeeded"
        seen = [(event.number, event.type) for event in client.stream(job_id)]
    assert seen == [
        (1, "status"),
        (2, "status"),
        (3, "started"),
        (4, "status"),
        (5, "finished"),
        (6, "status"),
    ]
    assert list(ray.jobs) == [f"rkd-{job_id}-1"]


def records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_line_on_stderr_is_json_from_start_to_end(
    settings: Settings, start: Start, tmp_path: Path
) -> None:
    job_id = queue_a_job(settings)
    file = tmp_path / "stderr"
    with file.open("wb") as stderr:
        server = start(stderr=stderr)
    headers = {"Authorization": f"Bearer {key(settings)}", "X-Request-ID": "mine"}
    assert httpx.get(f"{settings.control_url}/metrics").is_success
    httpx.get(f"{settings.control_url}/v1/jobs/{job_id}", headers=headers).raise_for_status()
    server.send_signal(signal.SIGTERM)
    assert server.wait(60) == 0
    found = records(file)
    assert all({"time", "level", "logger", "event"} <= record.keys() for record in found)
    [line] = [record for record in found if record.get("request_id") == "mine"]
    assert (line["job_id"], line["status"]) == (job_id, 200)
    assert not [record for record in found if record.get("route") == "/metrics"]
    assert key(settings) not in file.read_text()


def test_uvicorns_own_records_go_through_the_same_chain(
    settings: Settings, start: Start, tmp_path: Path
) -> None:
    file = tmp_path / "stderr"
    with file.open("wb") as stderr:
        start(stderr=stderr)
    with socket.create_connection((settings.host, settings.port)) as client:
        client.sendall(b"no HTTP at all\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")
    [line] = [record for record in records(file) if record["logger"] == "uvicorn.error"]
    assert (line["level"], line["event"]) == ("warning", "Invalid HTTP request received.")


def test_a_schema_that_is_not_known_is_refused_in_a_line_before_ray_is_started(
    settings: Settings,
) -> None:
    async def spoil() -> None:
        await schema.upgrade(settings.database)
        database = Database(settings.database)
        async with database.write() as session:
            await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await database.close()

    asyncio.run(spoil())
    with pytest.raises(ServiceError, match="has a schema that this version does not know"):
        serve(settings, local_ray=True)
    assert not (settings.data_dir / "local-ray.log").exists()


def test_a_second_control_plane_on_the_same_data_is_refused(
    settings: Settings, start: Start
) -> None:
    start()
    with pytest.raises(ServiceError, match="another control plane uses the database"):
        serve(settings.model_copy(update={"port": settings.port + 1}), local_ray=False)
