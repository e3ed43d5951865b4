"""A real MLflow server in a process of its own, and its REST API read without MLflow's client."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

LOCKS = Path(__file__).resolve().parents[3] / "locks"
START_SECONDS = 120
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def install_packages(folder: Path) -> Path:
    """The extras as their lock has them, and the server, to put before what is installed."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile"]
    locks = [
        part for name in ("trackers", "mlflow-server") for part in ("-r", LOCKS / f"{name}.txt")
    ]
    subprocess.run([*pip, "--target", folder, *locks], check=True, timeout=240)
    return folder


@dataclass(frozen=True)
class Mlflow:
    """A server that runs."""

    url: str
    process: "subprocess.Popen[bytes]"

    def kill(self) -> None:
        """Its workers too: it leads a process group of its own."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def run(self, name: str) -> dict[str, Any]:
        """The one run of this name, its experiment by name in place of its id."""
        names = self._experiments()
        found = self._tagged(names, "mlflow.runName", name)
        if not found:
            return {}
        (run,) = found
        return run | {"experiment": names[run["info"]["experiment_id"]]}

    def tagged(self, tag: str, value: str) -> list[str]:
        """The names of all runs with this tag."""
        found = self._tagged(self._experiments(), tag, value)
        return sorted(run["info"]["run_name"] for run in found)

    def history(self, run: dict[str, Any], metric: str) -> list[tuple[int, float]]:
        """Steps and values in the order of their reports."""
        asked = {"run_id": run["info"]["run_id"], "metric_key": metric}
        found = self._get("/api/2.0/mlflow/metrics/get-history", **asked).json()
        ordered = sorted(found.get("metrics", []), key=lambda one: int(one["timestamp"]))
        return [(int(one.get("step", 0)), float(one["value"])) for one in ordered]

    def file(self, run: dict[str, Any], name: str) -> bytes:
        """What was kept with a run."""
        return self._get("/get-artifact", run_id=run["info"]["run_id"], path=name).content

    def _experiments(self) -> dict[str, str]:
        """Names by id."""
        experiments = self._post("experiments/search", max_results=100)["experiments"]
        return {one["experiment_id"]: one["name"] for one in experiments}

    def _tagged(self, experiments: dict[str, str], tag: str, value: str) -> list[dict[str, Any]]:
        asked = {"experiment_ids": list(experiments), "filter": f"tags.`{tag}` = '{value}'"}
        found: list[dict[str, Any]] = self._post("runs/search", **asked).get("runs", [])
        return found

    def _post(self, path: str, **asked: Any) -> Any:
        answer = httpx.post(f"{self.url}/api/2.0/mlflow/{path}", json=asked, timeout=30)
        return answer.raise_for_status().json()

    def _get(self, path: str, /, **asked: str) -> httpx.Response:
        return httpx.get(self.url + path, params=asked, timeout=30).raise_for_status()


@contextmanager
def served(packages: Path, folder: Path) -> Iterator[Mlflow]:
    """A server that keeps everything in a folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/runs.db"]
    command += ["--artifacts-destination", str(folder / "files")]
    variables = os.environ | QUIET | {"PYTHONPATH": str(packages)}
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=output, stderr=output, start_new_session=True
        )
    mlflow = Mlflow(f"http://127.0.0.1:{port}", process)
    try:
        _wait(mlflow, log)
        yield mlflow
    finally:
        if process.poll() is None:
            mlflow.kill()


def _wait(mlflow: Mlflow, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert mlflow.process.poll() is None, f"the server ended by itself:\n{log.read_text()}"
        try:
            if httpx.get(f"{mlflow.url}/health", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"no answer from /health in {START_SECONDS} s:\n{log.read_text()}")
