"""Programs that are not Python packages: `make tools` installs them."""

import os
import shutil

import pytest


def program(name: str) -> str:
    """The program's path. Where there is none the test is skipped, in CI it fails."""
    found = shutil.which(name)
    if found is None:
        missing = f"{name} is not on the path: `make tools` installs it"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found
