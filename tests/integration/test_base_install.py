"""The base installs, checks a spec and serves in an environment without torch, ray and vllm."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
QUICKSTART = ROOT / "examples" / "quickstart.yaml"
ABSENT = ["lightkube", "numpy", "pyarrow", "ray", "reasoning_gym", "torch", "transformers", "vllm"]


def build_wheel(folder: Path) -> Path:
    """Build from a copy: in the tree, setuptools would pack what an earlier build left there."""
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "rkd_online", source / "rkd_online")
    command = ["pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([sys.executable, "-m", *command, str(source)], check=True)
    (wheel,) = folder.glob("rkd_online-*.whl")
    return wheel


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment that holds the base lock and our wheel, no more."""
    folder = tmp_path_factory.mktemp("base")
    venv.create(folder / "venv", with_pip=True)
    binaries = folder / "venv" / "bin"
    pip = [str(binaries / "python"), "-m", "pip", "install", "-q", "--no-deps"]
    wheel = build_wheel(folder)
    subprocess.run([*pip, "-r", str(ROOT / "locks" / "base.txt"), str(wheel)], check=True)
    return binaries


def run(
    base: Path, folder: Path, *command: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of the base environment, away from the source tree."""
    return subprocess.run(
        [str(base / command[0]), *command[1:]],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | variables,
    )


@contextmanager
def served(base: Path, folder: Path) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """Yield a client of ``rkd serve`` on a free port, and the server's process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [str(base / "rkd"), "serve", "--port", port, "--data-dir", str(folder / "data")]
    log = folder / "serve.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, text=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            wait_until_healthy(client, server, log)
            yield client, server
    finally:
        server.kill()
        server.wait(10)


def wait_until_healthy(client: httpx.Client, server: subprocess.Popen[str], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, f"rkd serve ended by itself:\n{log.read_text()}"
        try:
            assert client.get("/readyz").status_code == 200
            return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"no answer from /readyz in 60 s:\n{log.read_text()}")


def test_the_base_lock_is_whole_and_has_no_machine_learning(base: Path, tmp_path: Path) -> None:
    checked = run(base, tmp_path, "python", "-m", "pip", "check")
    assert checked.stdout == "No broken requirements found.\n"
    found = f"from importlib.util import find_spec; print([n for n in {ABSENT} if find_spec(n)])"
    assert run(base, tmp_path, "python", "-c", found).stdout == "[]\n"


def test_help_names_the_commands(base: Path, tmp_path: Path) -> None:
    shown = run(base, tmp_path, "rkd", "--help")
    assert shown.returncode == 0, shown.stderr
    named = set(shown.stdout.split())
    commands = {"serve", "run", "submit", "watch", "list", "cancel", "report", "trace", "validate"}
    assert named >= commands


def test_a_spec_is_validated_with_the_models_of_the_wheel(base: Path, tmp_path: Path) -> None:
    checked = run(base, tmp_path, "rkd", "validate", str(QUICKSTART))
    assert checked.returncode == 0, checked.stderr
    assert "quickstart" in checked.stdout


def test_a_run_is_refused_with_what_it_needs(base: Path, tmp_path: Path) -> None:
    refused = run(base, tmp_path, "rkd", "run", str(QUICKSTART))
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: `rkd run` needs torch, transformers, vllm, which ")


def test_the_api_serves_and_ends_in_order(base: Path, tmp_path: Path) -> None:
    with served(base, tmp_path) as (client, server):
        assert client.get("/v1/jobs").status_code == 401
        command = ["rkd", "list", "--url", str(client.base_url)]
        assert "this needs an API key" in run(base, tmp_path, *command).stderr
        key = (tmp_path / "data" / "admin-key").read_text().strip()
        assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {key}"}).is_success
        listed = run(base, tmp_path, *command, RKD_API_KEY=key)
        assert listed.stdout.startswith("there are no jobs yet"), listed.stderr
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    assert os.listdir(tmp_path / "data")
