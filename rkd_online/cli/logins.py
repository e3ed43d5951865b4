"""Keys that ``rkd login`` keeps, by address, in a file that only its owner can read."""

import json
import os
import stat
import tempfile
from pathlib import Path

from rkd_online.errors import ServiceError

PRIVATE = 0o600


def place() -> Path:
    """The file: below $XDG_CONFIG_HOME, or ~/.config where that is not set or not absolute."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    folder = base if base.is_absolute() else Path.home() / ".config"
    return folder / "rkd" / "logins.json"


def find(url: str) -> str:
    """The key that is kept for an address; empty where there is none."""
    return _read().get(_same(url), "")


def keep(url: str, key: str) -> None:
    """Keep a key for an address, in place of another."""
    _write(_read() | {_same(url): key})


def forget(url: str) -> bool:
    """Forget the key of an address; whether there was one."""
    kept = _read()
    known = kept.pop(_same(url), None) is not None
    if known:
        _write(kept)
    return known


def _same(url: str) -> str:
    return url.rstrip("/").lower()


def _read() -> dict[str, str]:
    file = place()
    try:
        with file.open() as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            text = opened.read()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ServiceError(f"{file} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise ServiceError(f"{file} has keys and mode {mode:o}, others can use it: chmod 600 it")
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ServiceError(
            f"{file} is no JSON ({error}): delete it and `rkd login` again"
        ) from error
    return {str(url): str(key) for url, key in dict(found).items()}


def _write(kept: dict[str, str]) -> None:
    """Under another name first, so that a reader meets one whole file or the other."""
    file = place()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".logins-")
        with os.fdopen(handle, "w") as opened:
            os.fchmod(opened.fileno(), PRIVATE)
            json.dump(kept, opened, indent=2)
        os.replace(name, file)
    except OSError as error:
        raise ServiceError(f"{file} cannot be written: {error.strerror}") from error
