"""Build ``.venv`` from the locks: ``make setup``. Does nothing when nothing has changed.

Runs on the Python that the environment is to have, before anything is installed: standard library
alone, and it must at least parse on a Python that is too old, to say so.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "setup.stamp"
LOCKS = [ROOT / "locks" / "cpu.txt", ROOT / "locks" / "dev.txt"]
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
OLDEST, TOO_NEW = (3, 11), (3, 14)
OLDEST_GLIBC = (2, 31)
# Large, and hardly any of it is imported: compiled on first use.
NOT_COMPILED = r"/(anthropic|openai|transformers/models|torch/testing|sympy)/"


class SetupError(Exception):
    """What is wrong, and what to change."""


def python_problem(version: tuple[int, ...], implementation: str) -> str:
    """Say what is wrong with this Python; an empty string when nothing is."""
    named = ".".join(map(str, version))
    if implementation != "CPython":
        return f"{implementation} {named} cannot run vLLM: use CPython 3.11, 3.12 or 3.13"
    if not OLDEST <= version[:2] < TOO_NEW:
        return (
            f"Python {named} is not supported: use 3.11, 3.12 or 3.13, "
            "for example `make setup PYTHON=python3.12`"
        )
    return ""


def platform_problem(system: str, machine: str, libc: tuple[str, str]) -> str:
    """Say what is wrong with this platform; an empty string when nothing is."""
    if (system, machine) != ("Linux", "x86_64"):
        return (
            f"{system} on {machine} is not supported: the CPU builds of vLLM and torch in the lock "
            "are for Linux on x86_64. Use such a machine, or a linux/amd64 container"
        )
    name, version = libc
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if name != "glibc" or numbers < OLDEST_GLIBC:
        found = f"{name} {version}".strip() or "another C library"
        return (
            f"the wheels in the lock need glibc 2.31 or newer, and this system has {found}: use "
            "Debian 11, Ubuntu 20.04, RHEL 9 or newer"
        )
    return ""


def tools_problem(compiler: str | None, headers: Path, has_ensurepip: bool) -> str:
    """Say what the system lacks; an empty string when nothing is missing."""
    if not has_ensurepip:
        return (
            "this Python cannot make virtual environments: install its venv package (python3-venv)"
        )
    if compiler is None or not (headers / "Python.h").is_file():
        missing = "a C compiler (cc)" if compiler is None else f"Python.h in {headers}"
        return (
            f"{missing} is missing, and pycosat (of reasoning-gym) comes as source only: install "
            "gcc and Python's headers (Debian, Ubuntu: apt install build-essential python3-dev)"
        )
    return ""


def check_machine() -> None:
    """Refuse a machine on which the locks cannot work, before anything is touched."""
    problem = (
        python_problem(tuple(sys.version_info[:3]), platform.python_implementation())
        or platform_problem(platform.system(), platform.machine(), platform.libc_ver())
        or tools_problem(
            shutil.which(os.environ.get("CC", "cc")),
            Path(sysconfig.get_path("include")),
            find_spec("ensurepip") is not None,
        )
    )
    if problem:
        raise SetupError(problem)


def digest(files: list[Path], *words: str) -> str:
    """SHA-256 over the files' contents and the words: what the environment was made from."""
    whole = hashlib.sha256()
    for part in [*(path.read_bytes() for path in files), *(word.encode() for word in words)]:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def split_lock(lock: Path) -> tuple[str, list[str]]:
    """Return torch's pin and all others. torch has an index of its own."""
    pins = [line for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    (torch,) = [pin for pin in pins if pin.startswith("torch==")]
    return torch, [pin for pin in pins if pin != torch]


def run(*command: str) -> None:
    """Run a command with its output shown; a failure names it."""
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise SetupError(f"this failed, see above: {' '.join(command)}")


def pip(folder: Path, *arguments: str) -> list[str]:
    """Return the command for the environment's pip, which reads the user's own configuration."""
    return [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check", *arguments]


def make_venv() -> None:
    """Make the environment; keep one of the same Python, whose packages are then brought up."""
    config = VENV / "pyvenv.cfg"
    home = f"version = {platform.python_version()}"
    if not (config.is_file() and home in config.read_text() and (VENV / "bin" / "pip").is_file()):
        venv.create(VENV, clear=True, with_pip=True)


def install_torch(folder: Path, pin: str) -> str:
    """Install torch's CPU build and return where it came from."""
    if list(folder.glob(f"lib/python*/site-packages/{pin.replace('==', '-')}.dist-info")):
        return "an earlier setup"
    install = pip(folder, "install", "--no-deps", "--no-compile", "--progress-bar", "off", pin)
    tried = subprocess.run(install, cwd=ROOT, check=False, stderr=subprocess.PIPE, text=True)
    if tried.returncode == 0:
        return "where pip is configured to look"
    print(
        f"      pip has no {pin} where it is configured to look: trying {TORCH_INDEX}", flush=True
    )
    try:
        run(*install, "--index-url", TORCH_INDEX)
    except SetupError as error:
        raise SetupError(f"{error}\nand before that, without the index:\n{tried.stderr}") from None
    return TORCH_INDEX


def install_locks(pins: list[str]) -> str:
    """Install everything else and return the name of what did it.

    uv is several times as fast as pip. It does not read pip's configuration, so where packages come
    from a mirror it may fail, and pip does the work.
    """
    requirements = VENV / "setup-requirements.txt"
    requirements.write_text("\n".join(pins) + "\n")
    run(*pip(VENV, "install", "-q", "--no-deps", *[pin for pin in pins if pin.startswith("uv==")]))
    uv = [f"{VENV}/bin/uv", "--quiet", "--system-certs", "--no-config", "pip", "install"]
    into = ["--python", f"{VENV}/bin/python", "--no-deps", "-r", str(requirements)]
    if subprocess.run([*uv, *into], cwd=ROOT, check=False).returncode == 0:
        return "uv"
    print("      uv could not (see above): pip does it, which takes a minute or two", flush=True)
    run(*pip(VENV, "install", "-q", "--no-deps", "--no-compile", "-r", str(requirements)))
    return "pip"


def install_project() -> None:
    """Install this tree editable, with the setuptools of the lock: nothing is downloaded."""
    run(*pip(VENV, "install", "-q", "--no-deps", "--no-build-isolation", "-e", str(ROOT)))


def compile_packages() -> None:
    """Write bytecode once. Without it every process of the first run compiles for ten seconds.

    Some packages carry files for other Pythons; those do not compile and are not imported.
    """
    python = [f"{VENV}/bin/python", "-W", "ignore"]
    compileall = ["-m", "compileall", "-qq", "-j", "0", "-x", NOT_COMPILED, f"{VENV}/lib"]
    subprocess.run([*python, *compileall], check=False)


def main() -> None:
    """Bring ``.venv`` up to the locks, or find that it is."""
    begin = time.monotonic()
    check_machine()
    sources = [*LOCKS, ROOT / "pyproject.toml", Path(__file__)]
    wanted = digest(sources, sys.version, sys.base_prefix, str(ROOT))
    if STAMP.is_file() and STAMP.read_text() == wanted:
        print(".venv is up to date")
        return
    STAMP.unlink(missing_ok=True)

    def say(text: str) -> None:
        print(f"{time.monotonic() - begin:4.0f} s  {text}", flush=True)

    say(f"making .venv with Python {platform.python_version()}")
    make_venv()
    torch, pins = split_lock(LOCKS[0])
    say(f"installing {torch}")
    say(f"{torch} came from {install_torch(VENV, torch)}")
    pins += [pin for lock in LOCKS[1:] for pin in lock.read_text().splitlines() if "==" in pin]
    say(f"installing {len(pins)} packages from {' and '.join(lock.name for lock in LOCKS)}")
    say(f"{install_locks(pins)} installed them")
    install_project()
    say("compiling them to bytecode")
    compile_packages()
    run(f"{VENV}/bin/rkd", "--version")
    STAMP.write_text(wanted)
    say("ready: .venv/bin/rkd --help")


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"setup: {error}")
