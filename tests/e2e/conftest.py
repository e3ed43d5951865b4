"""One control plane with a Ray of its own for all end-to-end tests."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from rkd_online.client import Client
from rkd_online.inference.environment import engine_environment
from rkd_online.service.access.keys import FIRST_KEY
from rkd_online.service.schemas.job import JobRecord

START_SECONDS = 240
JOB_SECONDS = 240
STEPS = 4
AWAY = "http://127.0.0.1:9"
"""A tracking server that nobody reaches."""


def spec(**changes: object) -> dict[str, Any]:
    """A job of a few seconds, with these fields changed."""
    return {
        "version": 1,
        "name": "end-to-end",
        "policy": {"model": "zoo:chain-sum/student"},
        "teacher": {"model": "zoo:chain-sum/teacher"},
        "task": {"type": "chain_sum"},
        "algorithm": {"type": "rlad"},
        "rollout": {"prompts_per_step": 4, "group_size": 4, "max_new_tokens": 40},
        "optimizer": {"learning_rate": 1e-4},
        "evaluation": {"prompts": 8, "samples": 2, "every": 2, "every_prompts": 8},
        "checkpoint": {"every": 2},
        "steps": STEPS,
    } | changes


@dataclass(frozen=True)
class Service:
    """A running control plane."""

    url: str
    data: Path
    dashboard: str

    @property
    def client(self) -> Client:
        return Client(self.url, self.key)

    @property
    def key(self) -> str:
        return (self.data / FIRST_KEY).read_text().strip()

    @property
    def token(self) -> str:
        return (self.data / "ray-token").read_text()

    def dashboard_json(self, path: str) -> Any:
        """What Ray's dashboard answers."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.get(self.dashboard + path, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def actors(self) -> list[dict[str, Any]]:
        """All actors that Ray remembers, dead ones too."""
        found: list[dict[str, Any]]
        found = self.dashboard_json("/api/v0/actors?detail=1")["data"]["result"]["result"]
        return found

    def exported(self) -> str:
        """What the node exports for Prometheus."""
        (node,) = self.dashboard_json("/nodes?view=summary")["data"]["summary"]
        port = node["raylet"]["metricsExportPort"]
        return httpx.get(f"http://{node['ip']}:{port}/metrics", timeout=30).text

    @property
    def discovery_file(self) -> Path:
        """Where Ray tells Prometheus of its nodes."""
        pid = json.loads((self.data / "local-ray.json").read_text())["pid"]
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        (folder,) = (word.partition("=")[2] for word in words if word.startswith("--temp-dir="))
        return Path(folder) / "prom_metrics_service_discovery.json"

    def folder(self, job: str) -> Path:
        return self.data / "runs" / job

    def wait(self, job: str, *statuses: str) -> JobRecord:
        """The job once it has one of these statuses."""
        deadline = time.monotonic() + JOB_SECONDS
        while time.monotonic() < deadline:
            record = self.client.get(job)
            if record.status in statuses:
                return record
            time.sleep(0.5)
        raise AssertionError(f"job {job} is {record.status} after {JOB_SECONDS} s: {record.error}")

    def wait_for_step(self, job: str, step: int) -> None:
        """Until a step's report has come."""
        deadline = time.monotonic() + JOB_SECONDS
        while time.monotonic() < deadline:
            record = self.client.get(job)
            if record.progress is not None and record.progress.report.step >= step:
                return
            time.sleep(0.2)
        raise AssertionError(f"job {job} did not reach step {step} in {JOB_SECONDS} s")


def free_port() -> int:
    # Ray keeps 10002 to 19999 for its workers.
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port > 20_000:
            return port


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with started(tmp_path_factory.mktemp("service"), {}) as service:
        yield service


@contextmanager
def started(data: Path, variables: Mapping[str, str]) -> Iterator[Service]:
    """A control plane in this folder, with a Ray of its own; both have these variables."""
    port, dashboard = free_port(), free_port()
    command = [sys.executable, "-m", "rkd_online.cli", "serve", "--local-ray"]
    command += ["--port", str(port), "--dashboard-port", str(dashboard), "--data-dir", str(data)]
    log = data / "serve.log"
    with log.open("wb") as output:
        trackers = {"RKD_TRACKERS": json.dumps({"away": AWAY})}
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env=_users_environment() | trackers | dict(variables),
        )
    service = Service(f"http://127.0.0.1:{port}", data, f"http://127.0.0.1:{dashboard}")
    try:
        _wait_until_up(process, service.url, log)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0


def _users_environment() -> dict[str, str]:
    """Without what this process was prepared with: runs must get it from the service alone."""
    prepared = engine_environment("cpu")
    return {name: value for name, value in os.environ.items() if name not in prepared}


def _wait_until_up(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/readyz", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError(f"{url} did not come up in {START_SECONDS} s: {log.read_text()}")
