"""Environments that have TRL: one with the newest transformers, one beside vLLM.

Each is built once, with the torch build of the project's own lock, and again when its pins change.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final, Literal

from benchmarks.models import folder
from benchmarks.results import ROOT
from scripts.setup import TORCH_INDEX, split_lock

Kind = Literal["transformers", "vllm"]

LOCK: Final = ROOT / "locks" / "cpu.txt"
PINS: Final[dict[Kind, tuple[Path, ...]]] = {
    "transformers": (ROOT / "benchmarks" / "trl.txt",),
    "vllm": (LOCK, ROOT / "benchmarks" / "trl-vllm.txt"),
}
LONGEST_SECONDS: Final = 1800


def trl_python(kind: Kind) -> Path:
    """The interpreter of an environment, which is built where there is none of these pins."""
    place = folder() / "environments" / f"trl-{kind}-{digest(kind)}"
    python = place / "bin" / "python"
    stamp = place / "complete"
    if not stamp.is_file():
        print(f"building {place}", flush=True)
        venv.create(place, clear=True, with_pip=True)
        _install_torch(python)
        _install(python, "-r", str(_requirements(kind, place)))
        stamp.touch()
    return python


def digest(kind: Kind) -> str:
    """What the environment is made from, in 12 letters."""
    parts = [torch_pin(), sys.version, *pins(kind)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def torch_pin() -> str:
    """torch as the project itself runs on it."""
    return split_lock(LOCK)[0]


def pins(kind: Kind) -> list[str]:
    """Every other package, at one version each."""
    torch = torch_pin()
    lines = [line for file in PINS[kind] for line in file.read_text().splitlines()]
    return [line for line in lines if "==" in line and line != torch]


def _requirements(kind: Kind, place: Path) -> Path:
    path = place / "requirements.txt"
    path.write_text("\n".join(pins(kind)) + "\n")
    return path


def _install_torch(python: Path) -> None:
    """The CPU build: where pip is configured to look, else where PyTorch keeps it."""
    try:
        _install(python, torch_pin())
    except subprocess.CalledProcessError:
        print(f"pip has no {torch_pin()} where it looks: trying {TORCH_INDEX}", flush=True)
        _install(python, torch_pin(), "--index-url", TORCH_INDEX)


def _install(python: Path, *what: str) -> None:
    """Without dependencies: theirs are pinned too, and torch's would bring CUDA."""
    print(f"  pip install --no-deps {' '.join(what)}", flush=True)
    command = [str(python), "-m", "pip", "install", "-qq", "--no-deps", *what]
    subprocess.run(command, check=True, timeout=LONGEST_SECONDS)
