"""What is said to Ray's Jobs API, and what its answers become."""

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from rkd_online.inference.environment import engine_environment
from rkd_online.service.launchers.base import (
    Launch,
    LauncherRefused,
    LauncherUnavailable,
    RunState,
    RunStatus,
)
from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.settings import Settings
from rkd_online.spec.job import JobSpec
from tests.unit.service.plane import SPEC

pytestmark = pytest.mark.asyncio

JOB = JobSpec.model_validate(SPEC)
GPU = {"gpus": 1}
GPUS = {"device": "cuda", "generator": GPU, "learner": GPU}
LAUNCH = Launch("job-1", "default", 2, Path("/data dir/runs/job-1"), "s3cret", JOB, None, 0)
DETAILS = {"type": "SUBMISSION", "status": "RUNNING", "message": "Job is currently running."}

Answer = Callable[[httpx.Request], httpx.Response]


def ray(settings: Settings, answer: Answer) -> RayJobs:
    changed = settings.model_copy(
        update={"ray_auth_token": SecretStr("ray-token"), "interpreter": "/opt/py/bin/python"}
    )
    return RayJobs(changed, httpx.MockTransport(answer))


async def test_an_attempt_is_submitted_as_the_ray_job_of_its_number(settings: Settings) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"submission_id": "rkd-job-1-2"})

    await ray(settings, answer).start(LAUNCH)
    [request] = seen
    body = json.loads(request.content)
    assert (request.method, str(request.url)) == ("POST", "http://127.0.0.1:8265/api/jobs/")
    assert request.headers["Authorization"] == "Bearer ray-token"
    assert body["submission_id"] == "rkd-job-1-2"
    assert body["entrypoint_num_cpus"] == 0
    assert body["metadata"] == {"rkd_job": "job-1", "rkd_attempt": "2", "name": "quick"}
    assert shlex.split(body["entrypoint"]) == [
        *("/opt/py/bin/python", "-m", "rkd_online.cluster.entrypoint"),
        *("--job-dir", "/data dir/runs/job-1", "--attempt", "2"),
    ]
    assert body["runtime_env"]["env_vars"] == engine_environment("cpu") | {
        "RKD_CONTROL_URL": "http://127.0.0.1:8420",
        "RKD_DATA_DIR": str(settings.data_dir),
        "RKD_JOB_ID": "job-1",
        "RKD_PROJECT": "default",
        "RKD_ATTEMPT_TOKEN": "s3cret",
        "RKD_CHANGES": "0",
        "RAY_JOB_STOP_WAIT_TIME_S": "20",
    }


async def test_an_attempt_is_told_the_tracking_servers(settings: Settings) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"submission_id": "rkd-job-1-2"})

    servers = {"team": "http://mlflow:5000"}
    await ray(settings.model_copy(update={"trackers": servers}), answer).start(LAUNCH)
    variables = json.loads(seen[0].content)["runtime_env"]["env_vars"]
    assert json.loads(variables["RKD_TRACKERS"]) == servers


async def test_a_resumed_attempt_is_told_its_checkpoint(settings: Settings) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"submission_id": "rkd-job-1-2"})

    resumed = replace(LAUNCH, resume_from=Path("/checkpoint"))
    await ray(settings, answer).start(resumed)
    variables = json.loads(seen[0].content)["runtime_env"]["env_vars"]
    assert variables["RKD_RESUME_FROM"] == "/checkpoint"


@pytest.mark.parametrize(("device", "threads"), [("cpu", "1"), ("cuda", None)])
async def test_the_driver_has_a_fixed_hash_seed_and_what_its_device_needs(
    settings: Settings, device: str, threads: str | None
) -> None:
    seen: list[httpx.Request] = []
    spec = JobSpec.model_validate(SPEC | ({"resources": GPUS} if device == "cuda" else {}))

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"submission_id": "rkd-job-1-2"})

    await ray(settings, answer).start(replace(LAUNCH, spec=spec))
    variables = json.loads(seen[0].content)["runtime_env"]["env_vars"]
    assert variables["PYTHONHASHSEED"] == "0"
    # Actors inherit these: a limit for CPUs must not reach a GPU's.
    assert variables.get("OMP_NUM_THREADS") == threads


async def test_starting_what_was_started_before_does_nothing(settings: Settings) -> None:
    text = (
        "Traceback (most recent call last):\nRuntimeError: Request failed with status code 400: "
        "ValueError: Job with submission_id rkd-job-1-2 already exists. Please use a different "
        "submission_id.\n."
    )
    await ray(settings, lambda _: httpx.Response(500, text=text)).start(LAUNCH)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (DETAILS, RunStatus(RunState.RUNNING, "Job is currently running.")),
        ({**DETAILS, "status": "PENDING", "message": None}, RunStatus(RunState.PENDING, "")),
        (
            {
                **DETAILS,
                "status": "FAILED",
                "error_type": "JOB_ENTRYPOINT_COMMAND_ERROR",
                "message": "Job entrypoint command failed with exit code 1, last available logs "
                "(truncated to 20,000 chars):\nline\nline",
            },
            RunStatus(
                RunState.FAILED,
                "JOB_ENTRYPOINT_COMMAND_ERROR: Job entrypoint command failed with exit code 1",
            ),
        ),
    ],
)
async def test_rays_details_become_a_status(
    settings: Settings, said: dict[str, str], expected: RunStatus
) -> None:
    assert await ray(settings, lambda _: httpx.Response(200, json=said)).status("j", 1) == expected


async def test_a_job_that_ray_does_not_know_is_unknown_has_no_log_and_needs_no_stop(
    settings: Settings,
) -> None:
    launcher = ray(settings, lambda _: httpx.Response(404, text="Job j does not exist"))
    assert (await launcher.status("j", 1)).state is RunState.UNKNOWN
    assert await launcher.log_tail("j", 1, 5) == ""
    await launcher.stop("j", 1)


async def test_an_unreachable_ray_is_named_with_its_address(settings: Settings) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    with pytest.raises(LauncherUnavailable) as refused:
        await ray(settings, answer).status("j", 1)
    assert str(refused.value) == (
        "Ray is not reachable at http://127.0.0.1:8265 (ConnectError: connection refused): start "
        "it, or point RKD_RAY_ADDRESS at its dashboard"
    )


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_token_is_named_with_the_variable_to_set(
    settings: Settings, status: int
) -> None:
    launcher = ray(settings, lambda _: httpx.Response(status, text="Forbidden"))
    with pytest.raises(LauncherRefused, match="set RAY_AUTH_TOKEN"):
        await launcher.start(LAUNCH)


async def test_a_failing_ray_may_do_better_later_a_refusing_one_will_not(
    settings: Settings,
) -> None:
    with pytest.raises(LauncherUnavailable, match="answered 500: No available agent"):
        await ray(settings, lambda _: httpx.Response(500, text="No available agent")).start(LAUNCH)
    with pytest.raises(LauncherRefused, match="answered 400: TypeError: entrypoint"):
        await ray(settings, lambda _: httpx.Response(400, text="TypeError: entrypoint")).start(
            LAUNCH
        )


async def test_without_a_token_no_header_is_sent_and_a_token_file_is_read(
    settings: Settings, tmp_path: Path
) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(404)

    await RayJobs(settings, httpx.MockTransport(answer)).status("j", 1)
    (tmp_path / "token").write_text("from-file\n")
    with_file = settings.model_copy(update={"ray_auth_token_path": tmp_path / "token"})
    await RayJobs(with_file, httpx.MockTransport(answer)).status("j", 1)
    assert [request.headers.get("Authorization") for request in seen] == [
        None,
        "Bearer from-file",
    ]
