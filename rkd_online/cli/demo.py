"""``rkd demo``: everything at once, as a newcomer would type it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console

from rkd_online.cli.jobs import follow
from rkd_online.cli.reports import show_job_report
from rkd_online.client import Client
from rkd_online.errors import ServiceError
from rkd_online.spec.load import load_spec

START_SECONDS = 240.0
STOP_SECONDS = 90.0


def run_demo(spec: Path, *, port: int, data_dir: Path, dashboard_port: int) -> None:
    """Serve, submit, follow, report; ends the control plane and the Ray that it started."""
    console = Console()
    job = load_spec(spec).model_dump(mode="json")
    url = f"http://127.0.0.1:{port}"
    with _control_plane(console, port, data_dir, dashboard_port):
        client = Client(url)
        record = client.submit(job)
        console.print(f"submitted [bold]{record.id}[/] ({record.name}) to {url}", highlight=False)
        console.print(
            f"Ray dashboard: http://127.0.0.1:{dashboard_port} (token in {data_dir}/ray-token)",
            highlight=False,
        )
        follow(client, record.id)
        show_job_report(client, record.id)


@contextmanager
def _control_plane(
    console: Console, port: int, data_dir: Path, dashboard_port: int
) -> Iterator[None]:
    """``rkd serve --local-ray`` in a process of its own, ended by SIGTERM."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir.resolve() / "demo-serve.log"
    command = [sys.executable, "-m", "rkd_online.cli", "serve", "--local-ray"]
    command += ["--port", str(port), "--data-dir", str(data_dir)]
    command += ["--dashboard-port", str(dashboard_port)]
    console.print("starting the control plane and a local Ray ...", highlight=False)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ.copy()
        )
    try:
        _wait_until_up(process, f"http://127.0.0.1:{port}", log)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise ServiceError(
                f"the control plane did not end within {STOP_SECONDS:.0f} s of SIGTERM; see {log}"
            ) from None


def _wait_until_up(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            words = log.read_text(errors="replace").strip().splitlines()[-5:]
            raise ServiceError("the control plane did not start:\n" + "\n".join(words))
        try:
            if httpx.get(f"{url}/healthz", timeout=5.0).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise ServiceError(f"{url}/healthz did not answer within {START_SECONDS:.0f} s; see {log}")
