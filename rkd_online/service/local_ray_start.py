"""What is looked at while a local Ray starts: its port, whether it answers, and its agent."""

import logging
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

import httpx

from rkd_online.errors import ClusterError
from rkd_online.service import processes

HOST: Final = "127.0.0.1"
AGENT: Final = "ray::DashboardAgent"
"""What Ray calls the process that answers Prometheus."""
AGENT_SECONDS: Final = 30.0

log = logging.getLogger(__name__)


def refuse_taken(port: int) -> None:
    """Raises ClusterError where something listens at a port, or may not be listened at."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ClusterError(
                f"port {port} on {HOST}, for the dashboard of the local Ray, cannot be used "
                f"({error.strerror}): stop what listens there, or choose another with "
                "--dashboard-port or RKD_LOCAL_RAY_PORT"
            ) from error


def free_port() -> int:
    """One at which nothing listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_up(
    process: subprocess.Popen[bytes], address: str, output: Path, seconds: float
) -> None:
    """Return as soon as the head answers; ClusterError with what it said last if it does not."""
    deadline = time.monotonic() + seconds
    while not answers(f"{address}/api/gcs_healthz", ""):
        if process.poll() is not None:
            raise ClusterError(
                f"the local Ray ended with {process.returncode} while starting; {output} ends:\n"
                + _tail(output)
            )
        if time.monotonic() > deadline:
            raise ClusterError(
                f"the local Ray's {address}/api/gcs_healthz did not answer within {seconds:g} s "
                f"(RKD_LOCAL_RAY_TIMEOUT_SECONDS); {output} ends:\n{_tail(output)}"
            )
        time.sleep(0.5)


def let_runs_go_first(leader: int) -> None:
    """Ray runs its agent at a higher priority than runs: where these keep all CPUs busy, each
    answer to Prometheus would hold up a step."""
    deadline = time.monotonic() + AGENT_SECONDS
    while not (agents := processes.named(processes.of_session(leader), AGENT)):
        if not processes.of_session(leader) or time.monotonic() > deadline:
            log.warning("Ray's agent keeps its priority: no process is called %s", AGENT)
            return
        time.sleep(0.1)
    for agent in agents:
        processes.yield_to_others(agent)


def answers(url: str, token: str) -> bool:
    """Whether a request with this token, if there is one, succeeds."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return httpx.get(url, headers=headers, timeout=5.0).is_success
    except httpx.TransportError:
        return False


def _tail(output: Path, lines: int = 20) -> str:
    return "\n".join(output.read_text(errors="replace").splitlines()[-lines:])
