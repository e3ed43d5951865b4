"""The control plane's image, really built, and run on a read-only root file system."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from rkd_online import __version__
from scripts import trial_image
from scripts.container import Container, end, first_process, unpacked
from scripts.images import ROOT, revision
from tests.postgres import create, postgres
from tests.unit.service.written_rollouts import write_step

pytestmark = pytest.mark.timeout(900)
LARGEST_MB = 250
QUICKSTART = ROOT / "examples" / "quickstart.yaml"
HEALTH = ["CMD", "python"]
ABSENT = ["torch", "ray", "vllm", "numpy", "transformers", "pip", "setuptools"]
UNMET = """
from importlib.metadata import distributions
from packaging.requirements import Requirement
there = {d.name.lower().replace("_", "-"): d for d in distributions()}
for one in there.values():
    for line in one.requires or []:
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            found = there.get(need.name.lower().replace("_", "-"))
            if found is None or not need.specifier.contains(found.version):
                print(one.name, "needs", line)
print(len(there))
"""
UNCHECKED = """
from importlib.util import cache_from_source, find_spec
for name in ("rkd_online.service.app", "sqlalchemy.orm"):
    head = open(cache_from_source(find_spec(name).origin), "rb").read(8)
    print(int.from_bytes(head[4:], "little"))
"""


@contextmanager
def served(image: Container, data: Path, log: Path) -> Iterator[tuple[str, int, str]]:
    """Start what the image starts by itself, wait until it is ready; its URL, process and port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with log.open("w") as out:
        server = image.start(*image.entry, data=data, out=out, RKD_PORT=port)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, server, log)
        yield url, first_process(server), port
        assert server.wait(30) == 0, log.read_text()
    finally:
        end(server)


def wait_until_ready(url: str, server: "subprocess.Popen[str]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the container ended by itself:\n{log.read_text()}"
        try:
            if httpx.get(f"{url}/readyz", timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"no 200 from /readyz in 60 s:\n{log.read_text()}")


def test_the_image_says_who_it_runs_as_and_what_it_is(image: Container) -> None:
    config = image.config
    assert config["User"] == "10001:10001"
    assert image.entry == ["rkd", "serve", "--host", "0.0.0.0"]
    assert list(config["ExposedPorts"]) == ["8420/tcp"]
    assert dict(pair.split("=", 1) for pair in config["Env"]) == {
        "PATH": "/opt/rkd/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "RKD_DATA_DIR": "/var/lib/rkd",
        "RKD_INTERPRETER": "/opt/rkd/bin/python",
    }
    prefix = "org.opencontainers.image."
    labels = {
        name.removeprefix(prefix): text.removesuffix("-dirty")
        for name, text in config["Labels"].items()
        if name.startswith(prefix)
    }
    assert labels == {
        "title": "rkd-online-control",
        "description": "Control plane of rkd_online: REST API, jobs, records",
        "licenses": "Apache-2.0",
        "version": __version__,
        "revision": revision().removesuffix("-dirty"),
    }


def test_it_runs_as_10001_with_nothing_but_data_and_tmp_to_write_to(
    image: Container, data: Path
) -> None:
    told = image.run("sh", "-c", "id -u; id -g; grep -E 'CapEff|NoNewPrivs' /proc/self/status")
    assert told.stdout.split() == ["10001", "10001", "CapEff:", "0" * 16, "NoNewPrivs:", "1"]
    for folder in ("/", "/opt/rkd", "/etc", "/var/tmp", "/run"):
        refused = image.run("touch", f"{folder}/mine", data=data)
        assert (refused.returncode, "Read-only file system" in refused.stderr) == (1, True)
    assert image.run("touch", "/tmp/mine", "/var/lib/rkd/mine", data=data).returncode == 0
    assert os.listdir(data) == ["mine"]


def test_there_is_no_machine_learning_and_no_pip(image: Container) -> None:
    found = f"from importlib.util import find_spec; print([n for n in {ABSENT} if find_spec(n)])"
    assert image.run("python", "-c", found).stdout == "[]\n"


def test_every_package_has_what_it_needs(image: Container) -> None:
    checked = image.run("python", "-c", UNMET)
    pins = [
        line
        for name in ("base", "control")
        for line in (ROOT / "locks" / f"{name}.txt").read_text().splitlines()
        if "==" in line
    ]
    # Beside the locks, this package itself.
    assert checked.stdout == f"{len(pins) + 1}\n", checked.stderr


def test_modules_are_compiled_and_never_compiled_again(image: Container) -> None:
    # PEP 552: flags of 1 are a hash that is not compared with the source.
    assert image.run("python", "-c", UNCHECKED).stdout == "1\n1\n"


def test_a_login_shell_finds_the_command(image: Container) -> None:
    found = image.run("bash", "-lc", "command -v rkd python")
    assert found.stdout == "/opt/rkd/bin/rkd\n/opt/rkd/bin/python\n"


def test_it_serves_answers_probes_and_ends_at_sigterm(
    image: Container, data: Path, tmp_path: Path
) -> None:
    health = image.config["Healthcheck"]["Test"]
    assert health[:2] == HEALTH
    with served(image, data, tmp_path / "log") as (url, process, port):
        assert httpx.get(f"{url}/livez").json() == {"status": "ok", "version": __version__}
        assert httpx.get(f"{url}/readyz").status_code == 200
        assert httpx.get(f"{url}/v1/jobs").status_code == 401
        key = (data / "admin-key").read_text().strip()
        listed = httpx.get(f"{url}/v1/jobs", headers={"Authorization": f"Bearer {key}"})
        assert listed.json()["data"] == []
        assert image.run(*health[1:], RKD_PORT=port).returncode == 0
        os.kill(process, signal.SIGTERM)
    assert (tmp_path / "log").read_text().endswith("ended; the jobs are kept\n")
    assert image.run(*health[1:], RKD_PORT=port).returncode == 1


def test_it_reads_rollouts_and_starts_without_what_they_need(
    image: Container, data: Path, tmp_path: Path
) -> None:
    with served(image, data, tmp_path / "log") as (url, process, _):
        # Nothing of it is in the process before somebody asks.
        assert "libarrow" not in Path(f"/proc/{process}/maps").read_text()
        key = (data / "admin-key").read_text().strip()
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as api:
            submitted = api.post("/v1/jobs", json=yaml.safe_load(QUICKSTART.read_text()))
            job = f"/v1/jobs/{submitted.json()['id']}/rollouts"
            write_step(data / "runs" / submitted.json()["id"], 1, {2: (1.0, 0.0)})
            listed = api.get(job, params={"correct": True, "min_reward": 0.5}, timeout=30).json()
            assert [one["id"] for one in listed["data"]] == ["1-2-0"]
            assert api.get(f"{job}/1-2-0").json()["completion_ids"] == [1]
        os.kill(process, signal.SIGTERM)


def test_without_a_volume_it_says_what_to_mount(image: Container) -> None:
    refused = image.run(*image.entry)
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        "error: the data folder /var/lib/rkd cannot be used (read-only, or not this user's): "
    )
    assert "mount a volume there" in refused.stderr


def test_the_database_is_migrated(image: Container, data: Path) -> None:
    first, again = (image.run("rkd", "db", "upgrade", "--json", data=data) for _ in range(2))
    assert json.loads(first.stdout)["before"] is None, first.stderr
    assert json.loads(again.stdout)["before"] == json.loads(first.stdout)["after"]


def test_postgresql_is_migrated_too(image: Container, data: Path) -> None:
    with postgres() as server:
        asyncio.run(create(server, "rkd"))
        url = f"{server}/rkd"
        done = image.run("rkd", "db", "upgrade", "--json", data=data, RKD_DATABASE_URL=url)
    assert json.loads(done.stdout)["before"] is None, done.stderr


def test_nothing_of_the_build_is_left(image: Container) -> None:
    for path in ("src", "project", "opt/build", "wheels", "etc/pip.conf", "run/secrets"):
        assert not (image.root / path).exists(), path
    for folder in ("var/lib/apt/lists", "var/cache/apt/archives", "tmp", "root/.cache"):
        left = (image.root / folder).rglob("*")
        assert [path.name for path in left if path.is_file() and path.name != "lock"] == [], folder
    assert os.listdir(image.root / "opt") == ["rkd"]


def test_the_engine_is_sent_sources_and_locks_and_nothing_else(storage: Path) -> None:
    file = storage / "context.Dockerfile"
    file.write_text("FROM scratch\nCOPY . /\n")
    build = ["buildah", "build", "-q", "--file", str(file), "--tag", "context", str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    with unpacked("localhost/context") as context:
        sent = [path.relative_to(context.root) for path in context.root.rglob("*")]
    assert {str(path) for path in sent if len(path.parts) == 1} == {
        *("LICENSE", "README.md", "docker", "locks", "pyproject.toml", "rkd_online", "scripts")
    }
    for folder, held in {
        "docker": {"login.sh"},
        "scripts": {"image_environment.py", "setup.py"},
        "locks": {path.name for path in ROOT.glob("locks/*.txt")},
    }.items():
        assert {path.name for path in sent if path.parent == Path(folder)} == held
    assert [path for path in sent if path.name in ("__pycache__", ".env", "admin-key")] == []


def test_no_file_of_the_environment_belongs_to_its_user(image: Container) -> None:
    owners = {path.lstat().st_uid for path in (image.root / "opt/rkd").rglob("*")}
    assert owners == {0}


def test_the_archive_is_small_and_its_last_layer_is_this_package(built: str, storage: Path) -> None:
    archive = trial_image.archive(built, storage)
    assert archive.stat().st_size <= LARGEST_MB * 1_000_000
    with tarfile.open(archive) as outer:
        names = layer_names(outer)
    ours = "opt/rkd/lib/python3.11/site-packages/rkd_online"
    files = {name for name in names if not name.endswith("/")}
    assert {name for name in files if not name.startswith(ours)} == {"opt/rkd/bin/rkd"}


def layer_names(archive: tarfile.TarFile) -> list[str]:
    """What the last layer of an OCI archive holds; folders end with a slash."""

    def document(name: str) -> dict[str, list[dict[str, str]]]:
        found = archive.extractfile(name)
        assert found is not None
        return dict(json.load(found))

    manifest = document(blob(document("index.json")["manifests"][0]))
    layer = archive.extractfile(blob(manifest["layers"][-1]))
    with tarfile.open(fileobj=layer) as inner:
        return [one.name + "/" * one.isdir() for one in inner]


def blob(descriptor: dict[str, str]) -> str:
    return f"blobs/{descriptor['digest'].replace(':', '/')}"


def test_a_container_that_is_ended_leaves_no_process(image: Container) -> None:
    started = image.start("sleep", "300")
    deadline = time.monotonic() + 10
    while not Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text():
        assert time.monotonic() < deadline, "the container has no process after 10 s"
        time.sleep(0.05)
    process = Path(f"/proc/{first_process(started)}")
    end(started)
    assert not process.exists()
