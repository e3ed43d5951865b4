"""Where an object store is: an address that the administrator wrote, checked without opening it."""

import re
from typing import Final
from urllib.parse import urlsplit

from rkd_online.errors import ObjectStoreSetupError

SCHEMES: Final = ("s3", "file")
VARIABLE: Final = "RKD_OBJECT_STORE"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


def checked_address(address: str) -> str:
    """The address without a slash at its end. Raises ObjectStoreSetupError for what is none.

    fsspec would take chains of file systems (``::``), some of which run code, and many schemes.
    """
    problem = address_problem(address)
    if problem is not None:
        raise ObjectStoreSetupError(f"{VARIABLE} {_shown(address)!r} {problem}")
    return address.rstrip("/")


def address_problem(address: str) -> str | None:
    """What is wrong with an address, and what to write instead; None where it is one."""
    parts = urlsplit(address)
    if "::" in address:
        return "is a chain of file systems (::): give one address"
    if parts.scheme not in SCHEMES:
        return "has none of the known schemes: allowed are s3://bucket/prefix and file:///folder"
    if parts.username is not None or parts.password is not None:
        return "has a name or a password in it: give keys by AWS_ACCESS_KEY_ID and the like"
    if parts.query or parts.fragment:
        return "has ? or # in it: give bucket and prefix alone"
    if any(part in ("..", ".") for part in parts.path.split("/")):
        return "has . or .. in its path: give it without"
    if parts.scheme == "file":
        at_root = not parts.path.strip("/")
        return "is no absolute folder: write file:///folder" if parts.netloc or at_root else None
    return None if _BUCKET.fullmatch(parts.netloc) else "names no bucket: write s3://bucket/prefix"


def _shown(address: str) -> str:
    """Without a password."""
    return re.sub(r"//[^/@]*@", "//***@", address)
