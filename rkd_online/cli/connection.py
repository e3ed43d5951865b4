"""A client with the key that belongs to its address."""

import ipaddress
import os
from pathlib import Path
from urllib.parse import urlsplit

from rkd_online.client import Client
from rkd_online.service.access.keys import FIRST_KEY

DEFAULT_DATA = Path(".rkd")
RETRY_SECONDS = 2.0
"""Who types a command would rather read that nothing answers than wait for it."""


def connect(url: str) -> Client:
    """A client of the control plane at an address."""
    return Client(url, find_key(url), retry_seconds=RETRY_SECONDS)


def find_key(url: str) -> str:
    """The key of the environment, else on this machine the one that the first start of the control
    plane made, where this user can read it. Empty where there is neither."""
    if given := os.environ.get("RKD_API_KEY", "").strip():
        return given
    file = Path(os.environ.get("RKD_DATA_DIR", DEFAULT_DATA)) / FIRST_KEY
    return file.read_text().strip() if _is_loopback(url) and os.access(file, os.R_OK) else ""


def connect_to_own(url: str, data_dir: Path) -> Client:
    """A client of a control plane that this process started on a data folder."""
    file = data_dir / FIRST_KEY
    return Client(url, file.read_text().strip() if file.is_file() else "")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
