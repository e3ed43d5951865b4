"""``rkd serve`` as a process: what tests wait for, and its first key."""

import subprocess
import time
from collections.abc import Callable

import httpx

from rkd_online.service.access.keys import FIRST_KEY
from rkd_online.service.settings import Settings

Start = Callable[..., "subprocess.Popen[bytes]"]
SERVE = """
from rkd_online.service.server import serve
from rkd_online.service.settings import Settings
serve(Settings(), local_ray=False)
"""


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited 60 s for {what}"
        time.sleep(0.05)


def is_up(settings: Settings) -> bool:
    try:
        return httpx.get(f"{settings.control_url}/readyz").is_success
    except httpx.TransportError:
        return False


def key(settings: Settings) -> str:
    return (settings.data_dir / FIRST_KEY).read_text().strip()
