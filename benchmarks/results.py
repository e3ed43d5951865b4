"""What a benchmark found: figures beside the goals they are held to, kept as JSON."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(__file__).parent / "results"


class Figure(BaseModel, frozen=True):
    """One measured number."""

    type: Literal["figure"] = "figure"
    what: str
    value: float
    unit: str


class Goal(BaseModel, frozen=True):
    """One measured number with the bound that the project sets itself."""

    type: Literal["goal"] = "goal"
    what: str
    value: float
    unit: str
    bound: Literal["at least", "at most"]
    limit: float

    @property
    def reached(self) -> bool:
        """Whether the number keeps the bound."""
        if self.bound == "at least":
            return self.value >= self.limit
        return self.value <= self.limit


Row = Annotated[Figure | Goal, Field(discriminator="type")]


class Result(BaseModel, frozen=True):
    """All numbers of one benchmark, with where and when they were measured."""

    name: str
    title: str
    rows: list[Row]
    notes: list[str] = []
    """Paragraphs and tables of Markdown that follow the rows."""
    commit: str
    machine: str
    measured: AwareDatetime

    @property
    def command(self) -> str:
        """What measures it again."""
        return f"python -m benchmarks {self.name}"

    def save(self) -> None:
        """Keep it in the place of the last one of this name."""
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{self.name}.json").write_text(self.model_dump_json(indent=2) + "\n")


def result(name: str, title: str, rows: list[Row], notes: Sequence[str] = ()) -> Result:
    """A result measured now, on this machine, from this tree."""
    return Result(
        name=name,
        title=title,
        rows=rows,
        notes=list(notes),
        commit=commit(),
        machine=machine(),
        measured=datetime.now(UTC).replace(microsecond=0),
    )


def kept() -> list[Result]:
    """The last result of every benchmark, by name."""
    files = sorted(FOLDER.glob("*.json"))
    return [Result.model_validate_json(file.read_bytes()) for file in files]


def commit() -> str:
    """The tree that was measured; ``+`` when it has changes that are not committed."""
    return _git("describe", "--always", "--dirty=+")


def machine() -> str:
    """Cores, memory and Python of this machine."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {gib:.0f} GiB, {platform.machine()}, Python {platform.python_version()}"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
