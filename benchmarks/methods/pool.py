"""Pieces of the comparison in processes of their own, several at once, each done only once."""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TypeVar

from pydantic import BaseModel

from benchmarks.methods.outcome import Baseline, Prices, Trained
from benchmarks.methods.pieces import Measuring, Pricing, Training
from benchmarks.progress import Progress
from benchmarks.results import ROOT
from rkd_online.inference.environment import engine_environment

LAST_LINES = 15
R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Places:
    """``results`` are kept, ``work`` is given up once a piece is done."""

    results: Path
    work: Path

    def result(self, piece: Measuring | Pricing | Training) -> Path:
        """The file of a piece's outcome."""
        return self.results / piece.cell / f"{piece.name}.json"

    def baseline(self, piece: Measuring) -> Baseline:
        """What the measuring found."""
        return _read(Baseline, self.result(piece))

    def prices(self, piece: Pricing) -> Prices:
        """What everything costs."""
        return _read(Prices, self.result(piece))

    def trained(self, piece: Training) -> Trained:
        """What the training gave."""
        return _read(Trained, self.result(piece))


def _read(kind: type[R], path: Path) -> R:
    return kind.model_validate_json(path.read_bytes())


class Pool:
    """Does what is not done yet, ``at_once`` pieces side by side."""

    def __init__(self, places: Places, at_once: int) -> None:
        self._places = places
        self._at_once = at_once

    def do(self, pieces: Sequence[Measuring | Pricing | Training], what: str) -> None:
        """Returns when all are done; raises when one fails, once those beside it have ended."""
        missing = [one for one in pieces if not self._places.result(one).exists()]
        print(f"{what}: {len(missing)} of {len(pieces)} to do", flush=True)
        progress, failed = Progress(len(missing)), Event()

        def one(piece: Measuring | Pricing | Training) -> None:
            if failed.is_set():
                return
            try:
                self._run(piece, progress)
            except BaseException:
                failed.set()
                raise

        with ThreadPoolExecutor(self._at_once) as pool:
            list(pool.map(one, missing))

    def _run(self, piece: Measuring | Pricing | Training, progress: Progress) -> None:
        progress.next(f"{piece.cell}: {piece.name}")
        work = self._places.work / piece.cell
        log = work / "logs" / f"{piece.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        arguments = [piece.model_dump_json(), str(work), str(self._places.result(piece))]
        command = [sys.executable, "-m", "benchmarks.methods.pieces", *arguments]
        with log.open("a") as file:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=os.environ | engine_environment("cpu"),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            said = "\n".join(log.read_text().splitlines()[-LAST_LINES:])
            raise SystemExit(
                f"{piece.cell}: {piece.name} ended with {done.returncode}; its last "
                f"words:\n{said}\nAll of them: {log}. Mend it, and give the same command again: "
                "what is done stays."
            )
