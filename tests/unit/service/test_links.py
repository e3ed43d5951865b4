"""Where a person looks at a job: Ray's dashboard as browsers reach it, and Grafana."""

import httpx
import pytest

from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.settings import Settings
from tests.unit.service.plane import Clock, Plane, open_plane

pytestmark = pytest.mark.asyncio


async def test_a_job_links_to_its_run_its_actors_and_its_metrics(
    settings: Settings, clock: Clock
) -> None:
    grafana = settings.model_copy(
        update={"grafana_url": "https://grafana.example/d/rkd-job?var-job={job}"}
    )
    async with open_plane(grafana, clock) as plane:
        launch = await plane.running()
        links = (await plane.job(launch.job_id))["links"]
    assert links["ray_dashboard"] == f"http://ray/#/jobs/{launch.job_id}-1"
    assert links["ray_actors"] == "http://ray/#/actors"
    assert links["grafana"] == f"https://grafana.example/d/rkd-job?var-job={launch.job_id}"


async def test_what_is_not_known_is_not_linked(plane: Plane) -> None:
    links = (await plane.job(await plane.submit()))["links"]
    assert (links["ray_dashboard"], links["ray_actors"], links["grafana"]) == (None, None, None)


async def test_browsers_may_reach_the_dashboard_elsewhere(settings: Settings) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    inside = RayJobs(settings, httpx.MockTransport(refuse))
    assert inside.dashboard("job-1", 2) == "http://127.0.0.1:8265/#/jobs/rkd-job-1-2"
    outside = settings.model_copy(update={"ray_dashboard_url": "https://ray.example/"})
    launcher = RayJobs(outside, httpx.MockTransport(refuse))
    assert launcher.dashboard("job-1", 2) == "https://ray.example/#/jobs/rkd-job-1-2"
