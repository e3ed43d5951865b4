"""A real Ray head: started, taken over, spoken to through the Jobs API, and gone afterwards."""

import asyncio
import os
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from rkd_online.service.launchers.base import Launch, LauncherRefused, RunState
from rkd_online.service.launchers.ray_jobs import RayJobs
from rkd_online.service.local_ray import LocalRay
from rkd_online.service.processes import alive, named, of_session
from rkd_online.service.settings import Settings
from rkd_online.spec.job import JobSpec

SLEEPER = """#!/bin/sh
echo "attempt token $RKD_ATTEMPT_TOKEN"
sleep 600
"""

JOB = JobSpec.model_validate(
    {
        "version": 1,
        "name": "quick",
        "policy": {"model": "zoo:chain/student"},
        "task": {"type": "chain_sum"},
        "algorithm": {"type": "grpo"},
        "steps": 4,
    }
)


async def reached(launcher: RayJobs, *states: RunState) -> RunState:
    async with asyncio.timeout(120):
        while (found := await launcher.status("job-1", 1)).state not in states:
            await asyncio.sleep(0.2)
    return found.state


async def run_and_stop(settings: Settings, folder: Path) -> None:
    """The interpreter is a script that sleeps: what is tested is Ray's side of the bargain."""
    sleeper = folder / "sleeper"
    sleeper.write_text(SLEEPER)
    sleeper.chmod(0o700)
    launcher = RayJobs(settings.model_copy(update={"interpreter": str(sleeper)}))
    launch = Launch("job-1", "default", 1, folder, "s3cret", JOB, None, 0)
    assert (await launcher.status("job-1", 1)).state is RunState.UNKNOWN
    await launcher.start(launch)
    await launcher.start(launch)
    assert await reached(launcher, RunState.RUNNING, RunState.FAILED) is RunState.RUNNING
    async with asyncio.timeout(60):
        while "attempt token s3cret" not in await launcher.log_tail("job-1", 1, 5):
            await asyncio.sleep(0.2)
    await launcher.stop("job-1", 1)
    assert await reached(launcher, RunState.STOPPED, RunState.FAILED) is RunState.STOPPED
    await launcher.close()


async def ask_without_the_token(settings: Settings) -> None:
    launcher = RayJobs(settings)
    with pytest.raises(LauncherRefused, match="set RAY_AUTH_TOKEN"):
        await launcher.status("job-1", 1)
    await launcher.close()


def priorities_of_agents(leader: int) -> set[int]:
    """Runs have 10: what an agent does for Prometheus must not come before a step."""
    return {
        os.getpriority(os.PRIO_PROCESS, int(thread.name))
        for agent in named(of_session(leader), "ray::DashboardAgent")
        for thread in Path(f"/proc/{agent}/task").iterdir()
    }


def test_a_local_ray_runs_an_attempt_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = Settings(
        data_dir=tmp_path, local_ray_port=port, ray_auth_token_path=tmp_path / "none"
    )
    ray = LocalRay.start(settings)
    try:
        assert priorities_of_agents(ray.pid) == {19}
        assert httpx.get(f"{ray.address}/api/jobs/").status_code == 401
        taken_over = LocalRay.start(settings)
        assert (taken_over.pid, taken_over.child) == (ray.pid, None)
        asyncio.run(run_and_stop(ray.reached_by(settings), tmp_path))
        without = settings.model_copy(update={"ray_address": ray.address})
        asyncio.run(ask_without_the_token(without))
    finally:
        ray.close()
    assert not alive(ray.pid)
    left = subprocess.run(["pgrep", "--session", str(ray.pid)], capture_output=True, check=False)
    assert left.stdout == b""
    assert not (tmp_path / "local-ray.json").exists()
    assert (tmp_path / "local-ray-logs" / "job-driver-rkd-job-1-1.log").is_file()
