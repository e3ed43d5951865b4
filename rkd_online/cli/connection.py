"""A client with the key that belongs to its address."""

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rkd_online.cli import logins
from rkd_online.service.access.keys import FIRST_KEY

if TYPE_CHECKING:
    from rkd_online.client import Client

DEFAULT_DATA = Path(".rkd")
VARIABLE = "RKD_API_KEY"
RETRY_SECONDS = 2.0
"""Who types a command would rather read that nothing answers than wait for it."""
BRIEFLY = 1.5


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key, and in words where it comes from."""

    key: str
    source: str


NO_KEY = FoundKey("", "nowhere")


def connect(url: str) -> "Client":
    """A client of the control plane at an address."""
    from rkd_online.client import Client

    return Client(url, find_key(url).key, retry_seconds=RETRY_SECONDS)


def connect_briefly(url: str) -> "Client":
    """A client for a question that is not worth waiting for."""
    from rkd_online.client import Client

    return Client(url, find_key(url).key, retry_seconds=0, timeout_seconds=BRIEFLY)


def connect_to_own(url: str, data_dir: Path) -> "Client":
    """A client of a control plane that this process started on a data folder."""
    from rkd_online.client import Client

    file = data_dir / FIRST_KEY
    return Client(url, file.read_text().strip() if file.is_file() else "")


def find_key(url: str) -> FoundKey:
    """The key of the environment, else the kept login, else on this machine the one that the first
    start of the control plane made, where this user can read it."""
    if given := os.environ.get(VARIABLE, "").strip():
        return FoundKey(given, VARIABLE)
    if kept := logins.find(url):
        return FoundKey(kept, str(logins.place()))
    file = Path(os.environ.get("RKD_DATA_DIR", DEFAULT_DATA)) / FIRST_KEY
    if _is_loopback(url) and os.access(file, os.R_OK):
        return FoundKey(file.read_text().strip(), str(file))
    return NO_KEY


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
