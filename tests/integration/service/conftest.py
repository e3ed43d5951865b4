"""A control plane in a process of its own, on a stand-in for Ray."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from rkd_online.service.settings import Settings
from tests.integration.service.fake_ray import FakeRay, fake_ray
from tests.integration.service.process import SERVE, Start, is_up, until


@pytest.fixture
def ray() -> Iterator[FakeRay]:
    with fake_ray() as ray:
        yield ray


@pytest.fixture
def settings(tmp_path: Path, ray: FakeRay) -> Settings:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Settings(data_dir=tmp_path, port=port, ray_address=ray.url, poll_seconds=0.1)


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []
    names = ("data_dir", "port", "ray_address", "poll_seconds")
    variables = {f"RKD_{name.upper()}": str(getattr(settings, name)) for name in names}

    def begin(stderr: IO[bytes] | None = None) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE], env={**os.environ, **variables}, stderr=stderr
        )
        started.append(process)
        until(lambda: process.poll() is not None or is_up(settings), "the server to come up")
        assert process.poll() is None, "the server ended while starting"
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait(30)
