"""The control plane's image: how long it builds, how large it is, how soon it serves.

As root, with buildah and mmdebstrap (``make tools``). The image runs as in a cluster, on a
read-only root file system, but without a container runtime: what one adds to the start is missing.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.results import Figure, Goal, Result, Row, result
from scripts import trial_image
from scripts.container import USER, Container, end, first_process, unpacked

STARTS: Final = 5
LONGEST_SECONDS: Final = 60
LARGEST_MB: Final = 250


@dataclass(frozen=True, slots=True)
class Start:
    """One start with an empty data folder, to the first 200 of /readyz."""

    seconds: float
    cpu_seconds: float


def measure() -> Result:
    """Build it from nothing and start it a few times; the fastest start counts."""
    with trial_image.storage() as folder:
        based = time.monotonic()
        base = trial_image.make_base(folder)
        begun = time.monotonic()
        name = trial_image.build(base)
        built = time.monotonic()
        size = trial_image.archive(name, folder).stat().st_size
        with unpacked(name) as image:
            starts = [_start(image) for _ in range(STARTS)]
    fastest = min(starts, key=lambda start: start.seconds)
    rows: list[Row] = [
        Figure(what="making a Debian without Python as base", value=begun - based, unit="s"),
        Figure(what="building the image on it", value=built - begun, unit="s"),
        Goal(
            what="archive with compressed layers, the base among them",
            value=size / 1e6,
            unit="MB",
            bound="at most",
            limit=LARGEST_MB,
        ),
        Goal(
            what=f"start to ready, fastest of {STARTS}",
            value=fastest.seconds,
            unit="s",
            bound="at most",
            limit=3,
        ),
        Figure(what="CPU time of that start", value=fastest.cpu_seconds, unit="s"),
    ]
    return result("image", "The control plane's image", rows)


def _start(image: Container) -> Start:
    port = _free_port()
    with _volume() as data:
        begun = time.monotonic()
        server = image.start(*image.entry, data=data, out=subprocess.DEVNULL, RKD_PORT=port)
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/readyz", server)
            took = time.monotonic() - begun
            process = first_process(server)
            cpu = _cpu_seconds(process)
            os.kill(process, signal.SIGTERM)
            server.wait(LONGEST_SECONDS)
        finally:
            end(server)
    return Start(took, cpu)


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _wait_until_ready(url: str, server: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(
                f"the container ended with {server.returncode} before {url} answered"
            )
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.01)
    raise TimeoutError(f"no 200 from {url} in {LONGEST_SECONDS} s")


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _volume() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rkd-volume-") as name:
        os.chown(name, USER, USER)
        yield Path(name)
