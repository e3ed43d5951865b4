"""What the pod of ``helm test`` runs: without a cluster, on one with room and without, and where
nobody answers."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from rkd_online.client import Client
from rkd_online.errors import ServiceError
from rkd_online.service.access.scope import Scope
from rkd_online.service.launchers.room import Node
from rkd_online.service.schemas.answer import Health
from rkd_online.service.settings import Settings
from tests.deploy.charts import CHART, Object, of_kind
from tests.unit.service.plane import FakeLauncher, first_key
from tests.unit.service.test_service_client import served

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


def check(url: str, key: str, device: str = "cpu") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RKD_URL": url, "RKD_API_KEY": key}
    return subprocess.run(
        [*CHECK, device], capture_output=True, text=True, env=environment, timeout=60
    )


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
    assert (done.returncode, done.stderr) == (
        1,
        "the test failed: this key is unknown, expired or revoked: ask for a new one "
        "(invalid_key)\n",
    )


ROLES = {"role_label": "rkd.io/role"}
"""As values-prod-gpu.yaml has them."""


@contextmanager
def fake(folder: Path, launcher: FakeLauncher, **settings: Any) -> Iterator[tuple[str, str]]:
    """The address and the first key of a control plane on a cluster that does what a test says."""
    given = Settings(data_dir=folder, ray_auth_token_path=folder / "none", **settings)
    folder.mkdir(exist_ok=True)
    with served(given, launcher) as url:
        yield url, first_key(given)


def test_where_there_is_room_it_succeeds(tmp_path: Path) -> None:
    with fake(tmp_path / "data", FakeLauncher()) as (url, key):
        done = check(url, key)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == (
        "quickstart: needs 3 CPU and 0 GPU on one node; there is room for it now"
    )


def test_a_busy_cluster_is_no_failure(tmp_path: Path) -> None:
    busy = FakeLauncher(nodes=[Node({"CPU": 4.0}, {"CPU": 4.0})])
    with fake(tmp_path / "data", busy) as (url, key):
        done = check(url, key)
    assert (done.returncode, done.stderr) == (0, "")


def test_where_the_cluster_is_too_small_it_fails_with_the_arithmetic(tmp_path: Path) -> None:
    with fake(tmp_path / "data", FakeLauncher(nodes=[Node({"CPU": 2.0}, {})])) as (url, key):
        done = check(url, key)
    assert (done.returncode, done.stderr) == (1, "it could not run here\n")
    assert done.stdout.splitlines()[-1].startswith(
        "quickstart: the job needs 3 CPU (1 + 1 + 1 for learner ranks, scorers and generators) on "
        "one node, of which the largest has 2"
    )


def test_on_gpus_placed_by_role_it_asks_for_a_job_that_can_be_there(tmp_path: Path) -> None:
    with fake(tmp_path / "data", FakeLauncher(), **ROLES) as (url, key):
        right, wrong = check(url, key, "cuda"), check(url, key, "cpu")
    assert (right.returncode, right.stderr) == (0, "")
    assert right.stdout.splitlines()[-1] == (
        "quickstart: needs 3 CPU and 3 GPU; there is room for it now"
    )
    assert wrong.returncode == 1
    assert "so that all its actors have to be on one node" in wrong.stdout


def test_the_key_of_a_viewer_is_enough(tmp_path: Path) -> None:
    with fake(tmp_path / "data", FakeLauncher()) as (url, key), Client(url, key) as client:
        done = check(url, client.make_key("helm test", Scope.VIEWER, project=None).key)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the key is that of helm test" in done.stdout


def script(monkeypatch: pytest.MonkeyPatch, url: str) -> ModuleType:
    """The script as a module, told to ask this address."""
    monkeypatch.setenv("RKD_URL", url)
    monkeypatch.setattr(sys, "argv", [*CHECK[1:], "cpu"])
    spec = importlib.util.spec_from_file_location("helm_check", CHECK[1])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def quick(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> list[float]:
    """Let waits pass at once; the seconds of each."""
    waited: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(waited), sleep=waited.append)
    monkeypatch.setattr(module, "time", clock)
    return waited


def test_an_address_where_nobody_answers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    module = script(monkeypatch, url)
    waited = quick(monkeypatch, module)
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert str(ended.value.code).startswith(
        f"the test failed: no control plane answers at {url} (ConnectError: "
    )
    assert waited == [1] * 20


def test_a_pod_that_is_let_through_late_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with fake(tmp_path / "data", FakeLauncher()) as (url, _):
        module = script(monkeypatch, url)
        waited = quick(monkeypatch, module)
        answer = Client(url).ready()

        def late(_: Client) -> Health:
            if len(waited) < 3:
                raise ServiceError("denied")
            return answer

        monkeypatch.setattr(Client, "ready", late)
        module.main()
    assert waited == [1] * 3
    assert f"{url} is ok" in capsys.readouterr().out


def test_a_server_that_takes_connections_and_says_nothing_is_named_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        module = script(monkeypatch, url)
        monkeypatch.setattr(module, "SECONDS", 0.3)
        with pytest.raises(SystemExit) as ended:
            module.main()
    assert str(ended.value.code).startswith(
        f"the test failed: no control plane answers at {url} (ReadTimeout: "
    )


def test_the_pod_has_the_time_for_every_question(
    rendered: Mapping[str, list[Object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four of them, each asked again for a while and then once more; a minute is for the image."""
    longest = 4 * 2 * script(monkeypatch, "http://nowhere").SECONDS
    [pod] = of_kind(rendered["prod-gpu"], "Pod")
    assert pod["spec"]["activeDeadlineSeconds"] >= longest + 60
    [container] = pod["spec"]["containers"]
    assert container["command"][-1] == "cuda"
    [dev] = of_kind(rendered["dev"], "Pod")
    assert dev["spec"]["containers"][0]["command"][-1] == "cpu"
