"""A Ray head on this machine, for people without a cluster. Ends only what it started."""

import json
import os
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import SecretStr

from rkd_online.errors import ClusterError
from rkd_online.service import processes
from rkd_online.service.local_ray_start import (
    HOST,
    answers,
    free_port,
    let_runs_go_first,
    refuse_taken,
    wait_until_up,
)
from rkd_online.service.settings import Settings

STOP_SECONDS = 45.0
"""Ray gives its own parts up to 30 s to drain."""
NOT_OF_RUNS = {"RAY_ADDRESS", "RKD_DATABASE_URL", "RKD_FIRST_KEY", "RKD_KEY_PEPPER"}
"""Variables that Ray would hand on to every run: who could read them there is administrator."""
NICENESS = {"RAY_worker_niceness": "10"}
"""Ray's own 15 is so near to the lowest priority, its agent's here, that this one would still take
a third of a CPU that both want; 10 is as low before what else the machine does."""
LINGER_SECONDS = 10.0
"""Agents notice the end of their head within seconds."""


@dataclass(frozen=True, slots=True)
class LocalRay:
    """A running head: its dashboard, its token, its process and the file that remembers it.

    ``child`` is the process where it is our own, None where it was taken over.
    """

    address: str
    token: str
    pid: int
    record: Path
    child: "subprocess.Popen[bytes] | None"

    @classmethod
    def start(cls, settings: Settings) -> "LocalRay":
        """Start a head, or take over the one that an earlier, killed control plane left."""
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        record = settings.data_dir / "local-ray.json"
        token = _token(settings.data_dir / "ray-token")
        return cls._left_over(record, token) or cls._new(settings, record, token)

    def reached_by(self, settings: Settings) -> Settings:
        """The same settings, with this Ray as the cluster."""
        update = {"ray_address": self.address, "ray_auth_token": SecretStr(self.token)}
        return settings.model_copy(update=update)

    def close(self) -> None:
        """End the head and everything of its session, and wait until they are gone."""
        processes.send(self.pid, signal.SIGTERM)
        ended = processes.gone(self.pid, self.child, STOP_SECONDS)
        if not ended or not processes.session_gone(self.pid, LINGER_SECONDS):
            for pid in (self.pid, *processes.of_session(self.pid)):
                processes.send(pid, signal.SIGKILL)
        if not processes.gone(self.pid, self.child, LINGER_SECONDS):
            raise ClusterError(f"the local Ray, process {self.pid}, does not end: end it by hand")
        self.record.unlink(missing_ok=True)
        _keep_logs(self.record.parent)

    @classmethod
    def _left_over(cls, record: Path, token: str) -> "LocalRay | None":
        """Only the head that was started with our token answers to it."""
        if not record.is_file():
            return None
        found = json.loads(record.read_text())
        if not answers(found["address"] + "/api/version", token):
            return None
        return cls(found["address"], token, found["pid"], record, None)

    @classmethod
    def _new(cls, settings: Settings, record: Path, token: str) -> "LocalRay":
        refuse_taken(settings.local_ray_port)
        address = f"http://{HOST}:{settings.local_ray_port}"
        log = settings.data_dir / "local-ray.log"
        folder = _empty_folder(_short_path(settings.data_dir))
        with log.open("wb") as output:
            process = subprocess.Popen(
                _command(settings, folder),
                env=_environment(token),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = cls(address, token, process.pid, record, process)
        record.write_text(json.dumps({"address": address, "pid": process.pid}))
        try:
            wait_until_up(process, address, log, settings.local_ray_timeout_seconds)
            let_runs_go_first(process.pid)
        except BaseException:
            started.close()
            raise
        return started


def _command(settings: Settings, folder: Path) -> list[str]:
    return [
        *(settings.interpreter, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        *("--include-dashboard=true", "--disable-usage-stats"),
        *(f"--node-ip-address={HOST}", "--port=0", f"--dashboard-host={HOST}"),
        f"--dashboard-port={settings.local_ray_port}",
        f"--dashboard-agent-listen-port={free_port()}",
        f"--ray-client-server-port={free_port()}",
        *("--min-worker-port=0", "--max-worker-port=0"),
        f"--num-cpus={settings.local_ray_cpus}",
        f"--object-store-memory={settings.local_ray_object_store_mib * 2**20}",
        f"--temp-dir={folder}",
    ]


def _environment(token: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NOT_OF_RUNS}
    return {**NICENESS, **kept, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}


def _token(path: Path) -> str:
    """The token of this data folder, readable by its owner alone."""
    if not path.is_file():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text()


def _short_path(data_dir: Path) -> Path:
    """Ray puts sockets below its folder, and their paths may have 107 bytes."""
    name = f"rkd-{os.getuid()}-{sha256(str(data_dir).encode()).hexdigest()[:8]}"
    return Path("/tmp") / name


def _empty_folder(folder: Path) -> Path:
    if folder.is_symlink() or (folder.exists() and folder.stat().st_uid != os.getuid()):
        raise ClusterError(f"{folder} belongs to someone else: remove it, Ray needs that folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


def _keep_logs(data_dir: Path) -> None:
    """The session's logs go to the data folder; nothing else of it stays."""
    folder, kept = _short_path(data_dir), data_dir / "local-ray-logs"
    logs = folder / "session_latest" / "logs"
    if logs.is_dir():
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(logs.resolve(), kept)
    shutil.rmtree(folder, ignore_errors=True)
