"""The server as a process of its own: its end, its sudden death and its return."""

import asyncio
import signal
from datetime import UTC, datetime

import httpx
import pytest

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


def test_a_second_control_plane_on_the_same_data_is_refused(
    settings: Settings, start: Start
) -> None:
    start()
    with pytest.raises(ServiceError, match="another control plane uses the database"):
        serve(settings.model_copy(update={"port": settings.port + 1}), local_ray=False)
