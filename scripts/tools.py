"""Install the programs that tests of images and monitoring call: ``make tools``.

On Debian and Ubuntu, as root. What is there already is left as it is. Without these programs their
tests are skipped, except in CI.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

LIST = Path(__file__).resolve().parent.parent / "locks" / "debian.txt"


def packages(text: str) -> list[str]:
    """The names in a list; # begins a comment."""
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


def missing(names: list[str]) -> list[str]:
    """Those of which the program of the same name is not on the path."""
    return [name for name in names if shutil.which(name) is None]


def install(names: list[str]) -> None:
    """Install by apt, without what they merely recommend, such as services that start."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *names]):
        subprocess.run(["apt-get", "-q", *command], check=True, env=quiet)


def main() -> None:
    """Install what is missing, or say who can."""
    wanted = missing(packages(LIST.read_text()))
    if not wanted:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        sys.exit(f"install these with your system's packages, as root: {' '.join(wanted)}")
    install(wanted)


if __name__ == "__main__":
    main()
