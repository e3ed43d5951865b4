"""Debian's Prometheus on this machine, for tests of what it is to scrape."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.programs import program

START_SECONDS = 60
END_SECONDS = 60


@dataclass(frozen=True)
class Prometheus:
    """One that runs, and its API."""

    url: str

    def get(self, path: str, **parameters: str) -> Any:
        """What the API answers."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def targets(self, job: str) -> dict[str, str]:
        """Health of what it scrapes under that name, by address."""
        active = self.get("targets", state="active")["activeTargets"]
        return {
            one["discoveredLabels"]["__address__"]: one["health"]
            for one in active
            if one["scrapePool"] == job
        }


@contextmanager
def prometheus(config: dict[str, Any], folder: Path, port: int) -> Iterator[Prometheus]:
    """Run one with this configuration; it ends with the block."""
    folder.mkdir()
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    command = [program("prometheus"), f"--config.file={file}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}", log)
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_SECONDS) == 0, log.read_text()


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/-/ready", timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"Prometheus was not ready in {START_SECONDS} s: {log.read_text()}")
