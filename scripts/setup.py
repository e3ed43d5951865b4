"""Build `.venv` from the lock: `make setup`.

Standard library only: it runs before anything is installed. It repeats in about a second when lock,
project and Python are the same as at the last time.
"""

import hashlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PIP = VENV / "bin" / "python"
STAMP = VENV / ".rkd-setup"
LOCKS = (ROOT / "locks" / "cpu.txt", ROOT / "locks" / "dev.txt")
TORCH = "torch==2.13.0+cpu"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
SUPPORTED = ((3, 11), (3, 12), (3, 13))


def main() -> None:
    """Check the machine, then install what is missing."""
    refuse_unsupported(sys.version_info[:2], sys.platform, platform.machine())
    wanted = fingerprint()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        print("setup: .venv is up to date")
        return
    STAMP.unlink(missing_ok=True)
    started = time.monotonic()
    if not PIP.exists():
        step("creating .venv")
        run(sys.executable, "-m", "venv", str(VENV))
    install_torch()
    locks = [argument for lock in LOCKS for argument in ("-r", str(lock))]
    step("installing the locked packages (one to three minutes, once)")
    pip("install", "--no-deps", *locks)
    step("installing rkd-online itself")
    pip("install", "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    STAMP.write_text(wanted)
    step(f"done in {time.monotonic() - started:.0f} s")


def refuse_unsupported(version: tuple[int, ...], system: str, machine: str) -> None:
    """Name what is wrong with this machine before anything is done."""
    if version not in SUPPORTED:
        known = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
        sys.exit(
            f"setup: Python {'.'.join(map(str, version))} is not supported, use one of {known}: "
            "make setup PYTHON=python3.11"
        )
    if (system, machine) != ("linux", "x86_64"):
        sys.exit(
            f"setup: {system} on {machine} is not supported: vLLM's CPU build and the lock are for "
            "Linux on x86_64. In a container or virtual machine of that kind it works."
        )


def fingerprint() -> str:
    """Digest of everything that decides what .venv holds."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (*LOCKS, ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def install_torch() -> None:
    """The CPU build from wherever pip is configured to look, else from PyTorch's own index."""
    step(f"looking for {TORCH} where pip is configured to look")
    if pip("install", "--no-deps", TORCH, check=False):
        step(f"{TORCH} came from pip's configured sources")
        return
    step(f"not found there: taking {TORCH} from {TORCH_INDEX}")
    pip("install", "--no-deps", "--index-url", TORCH_INDEX, TORCH)


def pip(*arguments: str, check: bool = True) -> bool:
    """Run pip in .venv; whether it succeeded."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    return run(str(PIP), "-m", "pip", *arguments, *quiet, check=check)


def run(*command: str, check: bool = True) -> bool:
    """Run a command; whether it succeeded. With ``check`` a failure ends the set-up."""
    output = None if check else subprocess.DEVNULL
    done = subprocess.run(
        command, cwd=ROOT, stderr=output, env=os.environ | {"PYTHONHASHSEED": "0"}
    )
    if check and done.returncode:
        sys.exit(f"setup: this failed with {done.returncode}: {' '.join(command)}")
    return done.returncode == 0


def step(words: str) -> None:
    """Say what is going on."""
    print(f"setup: {words}", flush=True)


if __name__ == "__main__":
    main()
