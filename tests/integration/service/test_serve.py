"""The server as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rkd_online.errors import ServiceError
from rkd_online.service.server import serve
from rkd_online.service.settings import Settings

SERVE = """
from rkd_online.service.server import serve
from rkd_online.service.settings import Settings
serve(Settings(), local_ray=False)
"""
SPEC = {
    "version": 1,
    "name": "waits",
    "policy": {"model": "student"},
    "task": {"type": "chain_sum"},
    "algorithm": {"type": "grpo"},
    "steps": 1,
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "RKD_DATA_DIR": str(tmp_path),
        "RKD_PORT": str(port),
        "RKD_RAY_ADDRESS": "http://127.0.0.1:9",
    }
    process = subprocess.Popen([sys.executable, "-c", SERVE], env=environment)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while not _up(url):
        assert process.poll() is None and time.monotonic() < deadline, "did not come up in 60 s"
        time.sleep(0.1)
    yield process, url
    process.kill()
    process.wait(30)


def _up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").is_success
    except httpx.TransportError:
        return False
