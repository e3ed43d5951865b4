"""The environment of an image, /opt/rkd, made in the image's build stages.

``python3 -m scripts.image_environment locks NAME...`` installs what these locks pin, and
``python3 -m scripts.image_environment project`` this package, under a root of its own: a new
version is a small layer over the same large one. Standard library alone, on the Python of the base.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

from scripts import setup

VENV = Path("/opt/rkd")
TOOLS = Path("/opt/build")
"""An environment that builds the package and stays in its stage."""
PROJECT = Path("/project")
"""What becomes the layer of this package."""
CERTIFICATES = Path("/run/secrets/ca")
"""Mounted where a proxy of the network signs with its own."""
WHEELS = Path("/wheels")
"""Mounted where packages come from a folder too."""


def pins(*names: str) -> list[str]:
    """The pins of these locks. Of a package that two of them pin, the later one counts."""
    texts = [(setup.ROOT / "locks" / f"{name}.txt").read_text() for name in names]
    lines = [line for text in texts for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    return list({line.partition("==")[0]: line for line in found}.values())


def pip_environment(certificates: Path, wheels: Path) -> dict[str, str]:
    """What pip is told besides its configuration, which may be mounted at /etc/pip.conf."""
    told = {"PIP_NO_CACHE_DIR": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    if certificates.is_file():
        told["PIP_CERT"] = str(certificates)
    if list(wheels.glob("*.whl")):
        told["PIP_FIND_LINKS"] = str(wheels)
    return told


def install_locks(*names: str) -> None:
    """Make the environment without pip. torch's CPU build comes from where `make setup` gets it."""
    setup.run(sys.executable, "-m", "venv", str(VENV))
    wanted = pins(*names)
    cpu_torch = [pin for pin in wanted if pin.startswith("torch==") and "+cpu" in pin]
    for pin in cpu_torch:
        print(f"{pin} came from {setup.install_torch(VENV, pin)}", flush=True)
    others = [pin for pin in wanted if pin not in cpu_torch]
    setup.run(*setup.pip(VENV, "install", "-q", "--no-deps", "--no-compile", *others))
    kept = {pin.partition("==")[0] for pin in wanted}
    setup.run(*setup.pip(VENV, "uninstall", "-q", "-y", *sorted({"pip", "setuptools"} - kept)))
    compile_all(VENV / "lib")


def install_project() -> None:
    """Build this package with the setuptools of the lock, and install it below ``PROJECT``."""
    setup.run(sys.executable, "-m", "venv", str(TOOLS))
    (builder,) = [pin for pin in pins("cpu") if pin.startswith("setuptools==")]
    setup.run(*setup.pip(TOOLS, "install", "-q", "--no-deps", builder))
    wheels = TOOLS / "wheels"
    build = ["wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(setup.ROOT)]
    setup.run(*setup.pip(TOOLS, *build))
    into = ["--python", f"{VENV}/bin/python", "install", "-q", "--no-index", "--no-deps"]
    below = ["--no-compile", "--no-warn-script-location", "--root", str(PROJECT)]
    (wheel,) = wheels.glob("*.whl")
    setup.run(*setup.pip(TOOLS, *into, *below, str(wheel)))
    compile_all(PROJECT)


def compile_all(folder: Path) -> None:
    """Write bytecode that is never looked at again: where images run, nothing could be written.

    Some packages carry files for other Pythons; those do not compile and are not imported.
    """
    unchecked = ["-m", "compileall", "-qq", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([sys.executable, "-W", "ignore", *unchecked, str(folder)], check=False)


def main() -> None:
    """Do one of the two parts."""
    part, *names = sys.argv[1:] or [""]
    problem = setup.python_problem(tuple(sys.version_info[:3]), platform.python_implementation())
    if problem:
        raise setup.SetupError(f"the base image cannot be used: {problem}")
    os.environ.update(pip_environment(CERTIFICATES, WHEELS))
    if part == "locks" and names:
        install_locks(*names)
    elif part == "project" and not names:
        install_project()
    else:
        raise setup.SetupError("say `locks NAME...` or `project`")


if __name__ == "__main__":
    try:
        main()
    except setup.SetupError as error:
        sys.exit(f"image: {error}")
