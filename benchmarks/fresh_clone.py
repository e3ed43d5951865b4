"""``make demo`` and ``make test`` as a newcomer types them: a fresh clone, empty caches."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.results import ROOT, Figure, Goal, Result, result

PORTS = {"RKD_PORT": "8431", "RKD_LOCAL_RAY_PORT": "8276"}
NO_CACHES = {"PIP_NO_CACHE_DIR": "1", "UV_NO_CACHE": "1"}
LONGEST_SECONDS = 1800


def measure() -> Result:
    """Clone what is committed; installing, which ``make demo`` does first, is timed by itself."""
    with tempfile.TemporaryDirectory(prefix="rkd-fresh-") as place:
        clone = Path(place) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        installed = _seconds(clone, "setup")
        ran = _seconds(clone, "demo")
        tested = _seconds(clone, "test")
    return result(
        "fresh-clone",
        "From a fresh clone to a trained student",
        [
            Figure(what="`make setup`, nothing cached", value=installed / 60, unit="min"),
            Figure(what="`make demo` after it", value=ran / 60, unit="min"),
            Goal(
                what="both: what `make demo` takes from a fresh clone",
                value=(installed + ran) / 60,
                unit="min",
                bound="at most",
                limit=12,
            ),
            Goal(
                what="`make test` after it",
                value=tested / 60,
                unit="min",
                bound="at most",
                limit=15,
            ),
        ],
    )


def _seconds(clone: Path, target: str) -> float:
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("RKD_")}
    started = time.monotonic()
    subprocess.run(
        ["make", target],
        cwd=clone,
        env=environment | PORTS | NO_CACHES,
        check=True,
        timeout=LONGEST_SECONDS,
    )
    return time.monotonic() - started
