"""What the pod of ``helm test`` runs, against a control plane without a cluster."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.deploy.charts import CHART

CHECK = [
    sys.executable,
    str(CHART / "files" / "check.py"),
    str(CHART / "files" / "quickstart.yaml"),
]
START_SECONDS = 60


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address and the first key of ``rkd serve``, whose Ray is away."""
    folder = tmp_path_factory.mktemp("data")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    serve = [sys.executable, "-m", "rkd_online.cli", "serve", "--port", str(port)]
    serve += ["--data-dir", str(folder), "--ray-address", "http://127.0.0.1:9"]
    with subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait(url, process)
            yield url, (folder / "admin-key").read_text()
        finally:
            process.terminate()


def wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(START_SECONDS * 5):
        assert process.poll() is None, "rkd serve ended"
        try:
            urlopen(f"{url}/readyz", timeout=5).close()
            return
        except URLError:
            time.sleep(0.2)
    pytest.fail(f"rkd serve at {url} was not ready within {START_SECONDS} s")


def check(url: str, key: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RKD_URL": url, "RKD_API_KEY": key}
    return subprocess.run(CHECK, capture_output=True, text=True, env=environment, timeout=60)


def test_without_a_key_it_asks_whether_the_control_plane_is_ready(plane: tuple[str, str]) -> None:
    done = check(plane[0], "")
    assert done.returncode == 0, done.stderr
    assert f"{plane[0]} is ok" in done.stdout
    assert "no job was validated: tests.apiKeySecretName names no key" in done.stdout


def test_with_a_key_it_fails_where_the_quickstart_could_not_run(plane: tuple[str, str]) -> None:
    done = check(*plane)
    assert done.returncode == 1
    assert "the key is that of first administrator" in done.stdout
    assert "Ray is not reachable at http://127.0.0.1:9" in done.stdout
    assert done.stderr == "it could not run here\n"


def test_a_key_that_is_none_is_refused(plane: tuple[str, str]) -> None:
    done = check(plane[0], "rkd_wrong_key")
    assert done.returncode == 1
    assert "this key is unknown, expired or revoked" in done.stderr
