"""rkd demo's control plane: its own process, ended in order whatever ends the demo."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.service.fake_ray import FakeRay, fake_ray

ROOT = Path(__file__).resolve().parents[3]
# A shell starts what it puts in the background with SIGINT ignored, and whatever that starts too.
DEMO = """
import signal
import sys
from rkd_online.cli import demo, main
signal.signal(signal.SIGINT, signal.default_int_handler)
serve = demo._serve
demo._serve = lambda *asked: [word for word in serve(*asked) if word != "--local-ray"]
sys.argv = ["rkd", "demo", *sys.argv[1:]]
main()
"""


@pytest.fixture
def ray() -> Iterator[FakeRay]:
    with fake_ray() as ray:
        yield ray


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_ended_cancels_its_job_and_leaves_no_control_plane(
    number: signal.Signals, ray: FakeRay, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    data = tmp_path / "data"
    command = [sys.executable, "-u", "-c", DEMO, "--port", str(port), "--data-dir", str(data)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, "RKD_RAY_ADDRESS": ray.url},
    )
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if line == "job is starting\n":
            process.send_signal(number)
    assert process.wait(60) == 130, seen
    assert seen[0] == "starting the control plane and a local Ray ...\n"
    assert seen[-2].endswith(" is cancelled\n")
    assert seen[-1] == "ending the control plane and its Ray ...\n"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/livez")
