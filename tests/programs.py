"""Programs that are not Python packages: `make tools` installs them. Some of them need root."""

import os
import shutil
from typing import NoReturn

import pytest


def program(name: str) -> str:
    """The program's path. Where there is none the test is skipped, in CI it fails."""
    found = shutil.which(name)
    if found is None:
        _missing(f"{name} is not on the path: `make tools` installs it")
    return found


def needs_root() -> None:
    """Skip the test for any other user, in CI fail it."""
    if os.geteuid() != 0:
        _missing("this mounts file systems and changes users, for which it needs root")


def _missing(what: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
