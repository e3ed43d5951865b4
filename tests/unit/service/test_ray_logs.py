"""How logs are read from Ray's dashboard: requests and answers as Ray 2.60 has them."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rkd_online import log_end
from rkd_online.service.launchers.base import LauncherRefused, LauncherUnavailable
from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.settings import Settings

pytestmark = pytest.mark.asyncio

DETAILS = {
    "type": "SUBMISSION",
    "job_id": "02000000",
    "submission_id": "rkd-job-1-2",
    "status": "RUNNING",
    "message": "Job is currently running.",
    "driver_node_id": "37f7",
}
ACTOR = {"actor_id": "df81", "state": "DEAD", "job_id": "02000000", "name": "rkd:job-1:learner:0"}
TAIL = {"timeout": "20", "filter_ansi_code": "true"}


class Ray:
    """Answers by path; remembers what was asked."""

    def __init__(self, **answers: httpx.Response) -> None:
        self.asked: list[httpx.Request] = []
        self.by_path = {
            "/api/jobs/rkd-job-1-2": answers.get("job", httpx.Response(200, json=DETAILS)),
            "/api/v0/actors": answers.get("actors", _actors(ACTOR)),
            "/api/v0/logs/file": answers.get("log", httpx.Response(200, text="a line\n")),
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.by_path[request.url.path]


def _actors(*actors: dict[str, Any]) -> httpx.Response:
    found = {"total": 3, "num_filtered": len(actors), "result": list(actors)}
    return httpx.Response(200, json={"result": True, "msg": "", "data": {"result": found}})


def jobs(settings: Settings, ray: Callable[[httpx.Request], httpx.Response]) -> RayJobs:
    return RayJobs(settings, httpx.MockTransport(ray))


async def test_the_end_of_the_drivers_log_is_asked_of_its_node(settings: Settings) -> None:
    ray = Ray(log=httpx.Response(200, text="98\n99\n"))
    assert await jobs(settings, ray).log_tail("job-1", 2, 2) == "98\n99"
    assert [request.url.path for request in ray.asked] == list(ray.by_path)[::2]
    named = {"node_id": "37f7", "submission_id": "rkd-job-1-2", "lines": "2"}
    assert dict(ray.asked[-1].url.params) == named | TAIL


async def test_a_driver_that_has_not_begun_has_an_empty_log(settings: Settings) -> None:
    waiting = httpx.Response(200, json={**DETAILS, "driver_node_id": None, "job_id": None})
    assert await jobs(settings, Ray(job=waiting)).log_tail("job-1", 2, 5) == ""
    with pytest.raises(LauncherRefused, match="knows no workers of attempt 2 of job-1"):
        await jobs(settings, Ray(job=waiting)).role_log("job-1", 2, "learner:0", "err", 5)


async def test_a_worker_is_found_by_its_name_in_the_job_of_its_attempt(
    settings: Settings,
) -> None:
    text = ":job_id:02000000\n:actor_name:LearnerActor\nstep 1\n:wq\nstep 2\n"
    ray = Ray(log=httpx.Response(200, text=text))
    found = await jobs(settings, ray).role_log("job-1", 2, "scorer:a+b:0", "out", 50)
    assert found == "step 1\n:wq\nstep 2"
    _, actors, log = ray.asked
    asked = actors.url.params
    filters = [asked.get_list(f"filter_{part}") for part in ("keys", "predicates", "values")]
    assert filters == [
        ["name", "job_id"], ["=", "="], ["rkd:job-1:scorer:a+b:0", "02000000"],
    ]  # fmt: skip
    assert dict(log.url.params) == {"actor_id": "df81", "suffix": "out", "lines": "50"} | TAIL


async def test_what_ray_does_not_know_is_said_and_nothing_more_is_asked(
    settings: Settings,
) -> None:
    unknown = Ray(job=httpx.Response(404, text="Job rkd-job-1-2 does not exist"))
    with pytest.raises(LauncherRefused, match="knows no workers of attempt 2 of job-1"):
        await jobs(settings, unknown).role_log("job-1", 2, "learner:0", "err", 5)
    nobody = Ray(actors=_actors())
    with pytest.raises(LauncherRefused, match="knows no worker learner:9 of attempt 2 of job-1"):
        await jobs(settings, nobody).role_log("job-1", 2, "learner:9", "err", 5)
    assert (len(unknown.asked), len(nobody.asked)) == (1, 2)


async def test_a_log_that_is_gone_is_refused_with_rays_reason(settings: Settings) -> None:
    said = (
        "Could not find a log file. Please make sure the given option exists in the cluster.\n"
        "\tnode_id: None\n\tfilename: None\n"
    )
    ray = Ray(log=httpx.Response(500, text=said))
    reason = r"^Ray has no such log: Could not find a log file\. Please .* in the cluster\.$"
    with pytest.raises(LauncherRefused, match=reason):
        await jobs(settings, ray).log_tail("job-1", 2, 5)
    with pytest.raises(LauncherRefused, match=reason):
        await jobs(settings, ray).role_log("job-1", 2, "learner:0", "err", 5)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, LauncherRefused), (429, LauncherUnavailable), (503, LauncherUnavailable)],
)
async def test_other_refusals_are_told_apart(
    settings: Settings, status: int, kind: type[Exception]
) -> None:
    ray = Ray(log=httpx.Response(status, text="no"))
    with pytest.raises(kind):
        await jobs(settings, ray).log_tail("job-1", 2, 5)


async def test_a_log_that_breaks_off_is_unavailable(settings: Settings) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v0/logs/file":
            raise httpx.ReadTimeout("30 s")
        return httpx.Response(200, json=DETAILS)

    with pytest.raises(LauncherUnavailable, match="not reachable"):
        await jobs(settings, answer).log_tail("job-1", 2, 5)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b"0123456789\nabc\nde\n", "abc\nde"),
        (b"0123456789abcdef", "6789abcdef"),
        (b"0123456789\n", "123456789"),
        (b"short\n", "short"),
        (b"\xff\xfe\n", "\ufffd\ufffd"),
    ],
)
async def test_no_more_than_the_end_of_endless_lines_is_held(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, text: bytes, kept: str
) -> None:
    """Whole lines, unless one alone is longer than what is kept: here ten bytes."""
    monkeypatch.setattr(log_end, "MOST_BYTES", 10)
    ray = Ray(log=httpx.Response(200, content=text))
    assert await jobs(settings, ray).log_tail("job-1", 2, 100) == kept
