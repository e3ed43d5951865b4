"""A control plane in a process of its own, without a cluster behind it."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from rkd_online.service.access.keys import FIRST_KEY
from rkd_online.service.store.schema import upgrade
from tests.postgres import create, postgres

PORT: Final = 8441
START_SECONDS: Final = 60.0
AWAY: Final = "http://127.0.0.1:9"
"""Nothing listens there: jobs stay in the queue."""
DATABASES: Final = ("SQLite", "PostgreSQL")


@dataclass(frozen=True, slots=True)
class Served:
    """Where it answers, by which key, and its process."""

    url: str
    key: str
    pid: int

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.key}"}

    def resident_mib(self) -> float:
        """Memory of the process."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def served(database: str) -> Iterator[Served]:
    """``rkd serve`` on a fresh database of this kind."""
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rkd-benchmark-")))
        variables = {
            "RKD_DATA_DIR": str(data),
            "RKD_PORT": str(PORT),
            "RKD_RAY_ADDRESS": AWAY,
            "RKD_REQUESTS_PER_MINUTE": "0",
        }
        if database == "PostgreSQL":
            variables["RKD_DATABASE_URL"] = _new_postgres(stack)
        with (data / "serve.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "rkd_online.cli", "serve"],
                stdout=log, stderr=log, env=os.environ | variables, cwd=data,
            )  # fmt: skip
        try:
            _wait(process, data / "serve.log")
            key = (data / FIRST_KEY).read_text().strip()
            yield Served(f"http://127.0.0.1:{PORT}", key, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(START_SECONDS)


def _new_postgres(stack: ExitStack) -> str:
    server = stack.enter_context(postgres())

    asyncio.run(create(server, "rkd"))
    asyncio.run(upgrade(f"{server}/rkd"))
    return f"{server}/rkd"


def _wait(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{PORT}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the control plane did not start:\n{log.read_text()}")
